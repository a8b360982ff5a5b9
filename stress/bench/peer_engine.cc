// RocksDB and LevelDB as engines, by the C API that both of their shared libraries carry: RocksDB's
// grew out of LevelDB's, and what is used here differs in the prefix of its names alone.
//
// Loaded at run time, so that the benchmark builds without either, and so that the RocksDB which is
// measured is the release build of its own project.

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "stress/bench/engine.h"

namespace bellwether::bench {

namespace {

// RocksDB's default, for both: no slice fills it, so neither flushes while it is measured.
constexpr size_t kWriteBufferSize = size_t{64} << 20;

// -1: as the library has it.
struct Peer {
  std::string_view name;
  std::string_view prefix;
  int allow_concurrent_memtable_write = -1;
  int enable_pipelined_write = -1;
  int unordered_write = -1;
};

constexpr std::array<Peer, 5> kPeers{{
    {.name = "rocksdb", .prefix = "rocksdb_"},
    {.name = "rocksdb_non_concurrent", .prefix = "rocksdb_", .allow_concurrent_memtable_write = 0},
    {.name = "rocksdb_pipelined", .prefix = "rocksdb_", .enable_pipelined_write = 1},
    {.name = "rocksdb_unordered", .prefix = "rocksdb_", .unordered_write = 1},
    {.name = "leveldb", .prefix = "leveldb_"},
}};

class Library {
 public:
  Library(const std::string& path, std::string_view prefix)
      : handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)), prefix_(prefix) {
    if (handle_ == nullptr) throw EngineError(::dlerror());
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // The library stays loaded to the end of the process: its threads may outlive its databases.
  template <class Function>
  Function Find(std::string_view name) const {
    const std::string symbol = prefix_ + std::string(name);
    void* const address = ::dlsym(handle_, symbol.c_str());
    if (address == nullptr) throw EngineError("no " + symbol + " in the library");
    return reinterpret_cast<Function>(address);
  }

  // Calls prefix_name(arguments...), for what is not worth keeping.
  template <class Result = void, class... Arguments>
  Result Call(std::string_view name, Arguments... arguments) const {
    return Find<Result (*)(Arguments...)>(name)(arguments...);
  }

 private:
  void* const handle_;
  const std::string prefix_;
};

// What the loop that is measured calls. The library's own types are opaque to its callers.
struct Functions {
  explicit Functions(const Library& library)
      : write(library.Find<decltype(write)>("write")),
        get(library.Find<decltype(get)>("get")),
        release(library.Find<decltype(release)>("free")),
        batch_put(library.Find<decltype(batch_put)>("writebatch_put")),
        batch_clear(library.Find<decltype(batch_clear)>("writebatch_clear")) {}

  void (*write)(void* db, const void* options, void* batch, char** error);
  char* (*get)(void* db, const void* options, const char* key, size_t key_size, size_t* value_size,
               char** error);
  void (*release)(void*);
  void (*batch_put)(void* batch, const char* key, size_t key_size, const char* value,
                    size_t value_size);
  void (*batch_clear)(void* batch);

  void Check(char* error) const {
    if (error == nullptr) return;
    const std::string message = error;
    release(error);
    throw EngineError(message);
  }
};

class PeerSession final : public Session {
 public:
  PeerSession(const Library& library, const Functions& functions, void* db, LogUse log_use)
      : library_(library),
        functions_(functions),
        db_(db),
        options_(library.Call<void*>("writeoptions_create")),
        batch_(library.Call<void*>("writebatch_create")) {
    const auto sync = static_cast<unsigned char>(log_use == LogUse::kSync);
    library_.Call("writeoptions_set_sync", options_, sync);
    if (log_use == LogUse::kNoWal) library_.Call("writeoptions_disable_WAL", options_, 1);
  }
  ~PeerSession() override {
    library_.Call("writebatch_destroy", batch_);
    library_.Call("writeoptions_destroy", options_);
  }

  void Put(std::string_view key, std::string_view value) override {
    functions_.batch_put(batch_, key.data(), key.size(), value.data(), value.size());
  }

  void Write() override {
    char* error = nullptr;
    functions_.write(db_, options_, batch_, &error);
    functions_.Check(error);
    functions_.batch_clear(batch_);
  }

 private:
  const Library& library_;
  const Functions& functions_;
  void* const db_;
  void* const options_;
  void* const batch_;
};

class PeerEngine final : public Engine {
 public:
  PeerEngine(const Peer& peer, const EngineSetting& setting)
      : peer_(peer),
        library_(setting.library, peer.prefix),
        functions_(library_),
        options_(library_.Call<void*>("options_create")),
        read_options_(library_.Call<void*>("readoptions_create")) {
    constexpr unsigned char kYes = 1;
    library_.Call("options_set_create_if_missing", options_, kYes);
    library_.Call("options_set_write_buffer_size", options_, kWriteBufferSize);
    Set("allow_concurrent_memtable_write", peer.allow_concurrent_memtable_write);
    Set("enable_pipelined_write", peer.enable_pipelined_write);
    Set("unordered_write", peer.unordered_write);
    char* error = nullptr;
    db_ = library_.Call<void*>("open", options_, setting.directory.c_str(), &error);
    functions_.Check(error);
  }
  ~PeerEngine() override {
    PeerEngine::Close();
    library_.Call("readoptions_destroy", read_options_);
    library_.Call("options_destroy", options_);
  }

  std::unique_ptr<Session> NewSession(LogUse log_use) override {
    if (log_use == LogUse::kNoWal && peer_.prefix != "rocksdb_") {
      throw Unsupported(std::string(peer_.name) + " logs every write");
    }
    return std::make_unique<PeerSession>(library_, functions_, db_, log_use);
  }

  bool Get(std::string_view key, std::string* value) override {
    char* error = nullptr;
    size_t size = 0;
    char* const found = functions_.get(db_, read_options_, key.data(), key.size(), &size, &error);
    functions_.Check(error);
    if (found == nullptr) return false;
    value->assign(found, size);
    functions_.release(found);
    return true;
  }

  void Close() override {
    if (db_ != nullptr) library_.Call("close", std::exchange(db_, nullptr));
  }

 private:
  void Set(const std::string& option, int value) {
    if (value < 0) return;
    library_.Call("options_set_" + option, options_, static_cast<unsigned char>(value));
  }

  const Peer& peer_;
  const Library library_;
  const Functions functions_;
  void* const options_;
  void* const read_options_;
  void* db_ = nullptr;
};

}  // namespace

std::vector<std::string> PeerNames() {
  std::vector<std::string> names;
  names.reserve(kPeers.size());
  for (const Peer& peer : kPeers) names.emplace_back(peer.name);
  return names;
}

std::unique_ptr<Engine> OpenPeer(const EngineSetting& setting) {
  for (const Peer& peer : kPeers) {
    if (peer.name != setting.name) continue;
    if (setting.library.empty()) throw EngineError(setting.name + " needs --library");
    return std::make_unique<PeerEngine>(peer, setting);
  }
  throw EngineError("no engine is called " + setting.name);
}

}  // namespace bellwether::bench
