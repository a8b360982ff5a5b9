// The store as an engine.

#include <memory>
#include <string>

#include "bellwether/store/store.h"
#include "stress/bench/engine.h"

namespace bellwether::bench {

namespace {

void Check(const Status& status) {
  if (!status.ok()) throw EngineError(status.ToString());
}

class StoreSession final : public Session {
 public:
  StoreSession(Store* store, LogUse log_use)
      : store_(store),
        options_{.sync = log_use == LogUse::kSync, .disable_wal = log_use == LogUse::kNoWal} {}

  void Put(std::string_view key, std::string_view value) override { Check(batch_.Put(key, value)); }

  void Write() override {
    const WriteResult result = store_->Write(options_, &batch_);
    // Only a store that takes no write without a log refuses it so.
    if (options_.disable_wal && result.status.code() == Status::Code::kInvalidArgument) {
      throw Unsupported(result.status.ToString());
    }
    Check(result.status);
    batch_.Clear();
  }

 private:
  Store* const store_;
  const WriteOptions options_;
  WriteBatch batch_;
};

class StoreEngine final : public Engine {
 public:
  StoreEngine(const stress::Mode& mode, const std::string& directory) {
    StoreOptions options;
    options.write_path = mode.options;
    Check(Store::Open(options, directory, &store_));
  }

  std::unique_ptr<Session> NewSession(LogUse log_use) override {
    return std::make_unique<StoreSession>(store_.get(), log_use);
  }

  bool Get(std::string_view key, std::string* value) override {
    const Status status = store_->Get({}, key, value);
    if (status.code() == Status::Code::kNotFound) return false;
    Check(status);
    return true;
  }

  double MeanGroup() const override {
    const Stats stats = store_->GetStats();
    if (stats.groups == 0) return 0;
    return static_cast<double>(stats.writers) / static_cast<double>(stats.groups);
  }

  void Close() override { Check(store_->Close()); }

 private:
  std::unique_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Engine> OpenStore(const stress::Mode& mode, const EngineSetting& setting) {
  return std::make_unique<StoreEngine>(mode, setting.directory);
}

}  // namespace bellwether::bench
