// recovery_state.h: the variables of spec/Recovery.tla beside those of the write path, under the
// same names, as a plain value.
//
// As state.h: two states are equal exactly when their bytes are. It is a type of its own, so that
// searches without crashes and readers do not pay for it.
//
// Thread safety: a plain value, without heap.

#pragma once

#include "model/state.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

inline constexpr size_t kMaxReaders = 2;
inline constexpr size_t kMaxCrashes = 2;
inline constexpr size_t kMaxKeys = 8;  // of a batch

// What there is of a record in a file: in this order, since a power loss takes and never gives.
enum class Image : uint8_t { kWhole, kTorn, kDamaged };

struct Entry {
  LogRecord record;
  Image image = Image::kWhole;
  friend constexpr bool operator==(const Entry&, const Entry&) = default;
};

// One more: the beginning of a record whose append has failed, or was under way.
using Content = Sequence<Entry, kMaxRecords + 1>;

struct LogFile {
  Content cache;  // what is read
  Content disk;   // what a power loss keeps for certain
  Content uncut;  // what was there before a cut that is not synced
  friend constexpr bool operator==(const LogFile&, const LogFile&) = default;
};

// A crash leaves one more.
using Files = Sequence<LogFile, kMaxCrashes>;

enum class RecoveryMode : uint8_t { kTolerateTornTail, kPointInTime };

template <class T>
using PerReader = std::array<T, kMaxReaders>;

struct RecoveryState {
  State path;                    // the variables of WritePath.tla
  Action phase = Action::Write;  // recovery's next action; Action::Write: the store is open
  RecoveryMode recovery_mode = RecoveryMode::kTolerateTornTail;
  bool log_named = true;
  uint8_t base = 0;
  uint8_t crashes = 0;
  Files files;
  Records found;
  PerReader<Sequence<uint8_t, 1>> snapshot = {};
  PerReader<Sequence<WriteSet, kMaxKeys>> seen = {};

  bool open() const { return phase == Action::Write; }

  friend constexpr bool operator==(const RecoveryState&, const RecoveryState&) = default;
};

static_assert(std::is_trivially_copyable_v<RecoveryState>);
static_assert(std::has_unique_object_representations_v<RecoveryState>);

}  // namespace BELLWETHER_MODEL_BOUNDS

// The state as `spec/tlc dump` has it, on one line.
std::string CanonicalText(const Config& config, const RecoveryState& state);

}  // namespace bellwether::model
