// What the benchmark can measure: an engine stores batches that sessions write.
//
// Protocol: Open · one Session for each thread, used by that thread alone · destroy the sessions ·
// Get · Close (or the destructor), after which another engine may open the same directory.
// Errors are exceptions (EngineError): a slice that met one measured nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "stress/commands.h"

namespace bellwether::bench {

enum class LogUse { kNoSync, kSync, kNoWal };

struct EngineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The engine has no such way to write: nothing to measure, and no failure.
struct Unsupported : EngineError {
  using EngineError::EngineError;
};

// Holds one batch, whose memory it reuses.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  virtual void Put(std::string_view key, std::string_view value) = 0;
  // Writes what was put since the last Write.
  virtual void Write() = 0;
};

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual std::unique_ptr<Session> NewSession(LogUse log_use) = 0;
  // False: the key has no value.
  virtual bool Get(std::string_view key, std::string* value) = 0;
  // Writes in a group of the log, on average; 0 where the engine does not say.
  virtual double MeanGroup() const { return 0; }
  virtual void Close() = 0;
};

struct EngineSetting {
  std::string name;
  std::string directory;
  std::string library;  // of the engines that come as a shared library
};

// A Store in one mode of its write path.
std::unique_ptr<Engine> OpenStore(const stress::Mode& mode, const EngineSetting& setting);
// RocksDB or LevelDB, by its C API.
std::unique_ptr<Engine> OpenPeer(const EngineSetting& setting);
std::vector<std::string> PeerNames();

}  // namespace bellwether::bench
