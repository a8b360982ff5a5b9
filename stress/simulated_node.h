// A file or a directory of the simulated file system: what a reader sees, what the disk holds, and
// what a power failure makes of the difference.
//
// Thread safety: that of the file system, which owns it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace bellwether::stress {

// What became of the unsynced pages. After kInOrder a file ends, perhaps torn, where its losses
// begin, or holds only zeros from there on; after kAnyOrder pages may be missing before others that
// are there.
enum class Loss : uint8_t { kInOrder, kAnyOrder };

struct SimulatedNode {
  static constexpr size_t kPageSize = 4096;
  static constexpr size_t kSectorSize = 512;
  static constexpr size_t kWhole = std::numeric_limits<size_t>::max();
  static constexpr uint64_t kUnlocked = std::numeric_limits<uint64_t>::max();

  using NodePtr = std::shared_ptr<SimulatedNode>;
  // New entry of each name (null: none). Made by one operation, so it is kept or lost as one.
  using DirectoryChange = std::vector<std::pair<std::string, NodePtr>>;
  using Entries = std::map<std::string, NodePtr>;

  explicit SimulatedNode(bool is_directory) : directory(is_directory) {}

  void Change(const DirectoryChange& change) {
    Apply(change, &entries);
    unsynced.push_back(change);
  }

  static void Apply(const DirectoryChange& change, Entries* to) {
    for (const auto& [name, node] : change) {
      if (node != nullptr) {
        (*to)[name] = node;
      } else {
        to->erase(name);
      }
    }
  }

  // A file is only appended to, within zeros that were there before if it was preallocated, and
  // cut: so what is not durable yet is its end.
  void MakeDurable() {
    durable.resize(std::min({durable.size(), uncut, overwritten}));
    durable.append(cached, durable.size(), std::string::npos);
    uncut = overwritten = kWhole;
  }

  void Crash(Loss loss, std::mt19937_64* random) {
    if (!directory) {
      durable = CrashImage(loss, random);
      cached = durable;
      uncut = overwritten = kWhole;
      return;
    }
    const uint64_t lost_of_three = (*random)() % 4;
    for (const DirectoryChange& change : unsynced) {
      if ((*random)() % 3 >= lost_of_three) Apply(change, &durable_entries);
    }
    unsynced.clear();
    entries = durable_entries;
    for (const auto& [name, entry] : entries) entry->Crash(loss, random);
  }

  const bool directory;
  // Of a file: what a reader sees, and what the disk holds.
  std::string cached;
  std::string durable;
  size_t uncut = kWhole;           // bytes of `durable` that no unsynced Truncate cut off
  size_t overwritten = kWhole;     // … and that no unsynced Append replaced
  uint64_t locked_in = kUnlocked;  // generation of the holder
  // Of a directory, likewise; and the changes in between.
  Entries entries;
  Entries durable_entries;
  std::vector<DirectoryChange> unsynced;

 private:
  std::string CrashImage(Loss loss, std::mt19937_64* random) const {
    const auto below = [&](size_t bound) { return static_cast<size_t>((*random)() % bound); };
    // An unsynced Truncate reached the disk, or it did not.
    if (uncut < durable.size() && below(2) == 0) return durable;
    std::string image = durable.substr(0, uncut);
    const size_t synced = std::min(image.size(), overwritten);
    if (cached.size() <= synced) return image;
    if (cached.size() > image.size()) image.resize(SizeAfterCrash(image.size(), below), '\0');
    const auto write_back = [&](size_t from, size_t end) {
      from = std::max(from, synced);
      end = std::min({end, image.size(), cached.size()});
      if (from < end) image.replace(from, end - from, cached, from, end - from);
    };
    if (loss == Loss::kInOrder) {
      write_back(synced, below(2) == 0 ? image.size() : synced + below(image.size() - synced + 1));
      return image;
    }
    for (size_t page = synced / kPageSize * kPageSize; page < image.size(); page += kPageSize) {
      const size_t fate = below(4);
      if (fate < 2) write_back(page, page + kPageSize);
      if (fate == 2) write_back(page, page + kSectorSize * below(kPageSize / kSectorSize));
    }
    return image;
  }

  // Nothing of what was appended, all of it, or up to somewhere, often the end of a page.
  template <class Below>
  size_t SizeAfterCrash(size_t synced, const Below& below) const {
    switch (below(4)) {
      case 0:
        return synced;
      case 1:
        return cached.size();
      case 2:
        return std::max(synced, below(cached.size() + 1) / kPageSize * kPageSize);
      default:
        return synced + below(cached.size() - synced + 1);
    }
  }
};

}  // namespace bellwether::stress
