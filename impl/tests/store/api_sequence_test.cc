// Random sequences of API calls against a std::map, in every mode, with reopens, dead processes and
// power failures. RapidCheck shrinks a sequence that fails and prints it, with the RC_PARAMS that
// repeat it.

#include <rapidcheck.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <ostream>
#include <tuple>
#include <utility>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

enum class Call : uint8_t {
  kPut,
  kDelete,
  kWrite,
  kPrepare,
  kCommit,
  kRollback,
  kGet,
  kMultiGet,
  kIterate,
  kSnapshot,
  kSync,
  kCheckpoint,
  kReopen,
  kKill,
  kPowerFailure
};

constexpr std::array<const char*, 15> kCallNames{
    "Put",     "Delete",   "Write", "Prepare",    "Commit", "Rollback", "Get",         "MultiGet",
    "Iterate", "Snapshot", "Sync",  "Checkpoint", "Reopen", "Kill",     "PowerFailure"};
constexpr uint32_t kKeys = 6;
constexpr uint32_t kTransactions = 3;

struct Step {
  Call call = Call::kGet;
  uint32_t key = 0;
  uint32_t number = 0;  // the value, the operations of a batch, which snapshot, the seed of a crash
  bool sync = false;
  bool unlogged = false;  // disable_wal

  WriteOptions Options() const { return {.sync = sync, .disable_wal = unlogged}; }
};

void showValue(const Step& step, std::ostream& out) {
  out << kCallNames[static_cast<size_t>(step.call)] << "(key " << step.key << ", " << step.number
      << (step.sync       ? ", sync)"
          : step.unlogged ? ", disable_wal)"
                          : ")");
}

rc::Gen<std::vector<Step>> AnySteps() {
  using rc::gen::inRange;
  const auto fields = rc::gen::tuple(inRange(size_t{0}, kCallNames.size()), inRange(0U, kKeys),
                                     inRange(0U, 1000U), inRange(0, 4));
  const auto step = rc::gen::map(fields, [](const std::tuple<size_t, uint32_t, uint32_t, int>& f) {
    return Step{static_cast<Call>(std::get<0>(f)), std::get<1>(f), std::get<2>(f),
                std::get<3>(f) == 1, std::get<3>(f) == 2};
  });
  return rc::gen::container<std::vector<Step>>(step);
}

// What the store under test does wrong.
enum class Mutant {
  kNone,
  kForgetsDeletes,
  kBatchesInReverse,
  kIgnoresSnapshots,
  kSyncsNothing,
  kForgetsRollbacks,
  kCommitsWithoutTheLastOperation,
  kReopensWithoutTheLastWrite,
  kForgetsCheckpoints,
  kUnloggedIsLogged
};

std::string KeyOf(uint32_t key) { return std::string(1, static_cast<char>('a' + key % kKeys)); }

// In their order: the key, and its value unless it is deleted. The handler of WriteBatch::Iterate.
struct Operations : std::vector<std::pair<std::string, std::optional<std::string>>> {
  Status Put(std::string_view key, std::string_view value) {
    emplace_back(key, value);
    return Status::OK();
  }
  Status Delete(std::string_view key) {
    emplace_back(key, std::nullopt);
    return Status::OK();
  }

  void Apply(Contents* contents) const {
    for (const auto& [key, value] : *this) {
      contents->erase(key);
      if (value) contents->emplace(key, *value);
    }
  }
};

// What a store holds: its contents, and the transactions that can be decided.
struct State {
  Contents contents;
  std::map<std::string, Operations> prepared;
  bool operator==(const State&) const = default;
};

// The store beside its model. Each step returns what differs, if anything.
class Sequence {
 public:
  Sequence(const WritePathOptions& options, Mutant mutant) : options_(options), mutant_(mutant) {}

  std::optional<std::string> Run(const std::vector<Step>& steps) {
    std::optional<std::string> wrong = Open(RecoveryMode::kTolerateTornTail);
    for (const Step& step : steps) {
      if (!wrong) wrong = Take(step);
    }
    return wrong ? wrong : Reopen();
  }

 private:
  using Differs = std::optional<std::string>;

  struct View {
    std::optional<Snapshot> snapshot;
    Contents contents;
  };

  Differs Take(const Step& step) {
    switch (step.call) {
      case Call::kPut:
      case Call::kDelete:
      case Call::kWrite:
        return Write(step);
      case Call::kPrepare:
        return Prepare(step);
      case Call::kCommit:
      case Call::kRollback:
        return Decide(step);
      case Call::kGet:
      case Call::kMultiGet:
        return Read(step);
      case Call::kIterate:
        return Iterate(step);
      case Call::kSnapshot:
        views_.push_back({store_->GetSnapshot(), live_.contents});
        return std::nullopt;
      case Call::kSync:
        possible_ = {logged_};
        logged_next_ = next_;
        return mutant_ == Mutant::kSyncsNothing ? std::nullopt : Failed("Sync", store_->Sync());
      case Call::kCheckpoint:
        return Checkpoint(step);
      case Call::kReopen:
        return Reopen();
      case Call::kKill:
        disk_.Kill();
        return OpenWithEverything();
      case Call::kPowerFailure:
        return PowerFailure(step);
    }
    return "an unknown call";
  }

  static Differs Failed(const char* call, const Status& status) {
    if (status.ok()) return std::nullopt;
    return std::string(call) + ": " + status.ToString();
  }

  Differs Open(RecoveryMode mode) {
    store_.reset();
    views_.clear();
    const StoreOptions options{
        .recovery_mode = mode, .write_path = options_, .file_system = &disk_};
    Differs failed = Failed("Open", Store::Open(options, "/store", &store_));
    if (!failed) next_ = logged_next_ = store_->GetStats().recovery.last_sequence + 1;
    return failed;
  }

  Differs Reopen() {
    if (Differs failed = Failed("Close", store_->Close())) return failed;
    if (mutant_ == Mutant::kReopensWithoutTheLastWrite) TearTail();
    return OpenWithEverything();
  }

  Differs OpenWithEverything() {
    possible_ = {logged_};
    live_ = logged_;
    const SequenceNumber next = logged_next_;
    if (Differs failed = Open(RecoveryMode::kTolerateTornTail)) return failed;
    if (next_ != next) return "recovery ends before sequence " + std::to_string(next_);
    if (Recovered() != live_.prepared) return "the recovered transactions";
    return Compare({{}, live_.contents}, "");
  }

  // Cuts one byte off the newest log that holds any.
  void TearTail() {
    std::vector<std::string> names;
    (void)disk_.ListDirectory("/store", &names);
    std::sort(names.rbegin(), names.rend());
    for (const std::string& name : names) {
      std::string contents;
      const std::string path = "/store/" + name;
      if (!name.ends_with(kLogSuffix) || !disk_.ReadFile(path, &contents).ok()) continue;
      if (contents.empty()) continue;
      (void)disk_.Truncate(path, contents.size() - 1);
      return;
    }
  }

  // Any state since the last one that is durable may come back; nothing else may.
  Differs PowerFailure(const Step& step) {
    disk_.Crash(step.number);
    if (Differs failed = Open(RecoveryMode::kPointInTime)) return failed;
    live_ = logged_ = {AllFrom({}, ""), Recovered()};
    if (std::find(possible_.begin(), possible_.end(), logged_) == possible_.end()) {
      return "after a power failure: a state that never was, or one before the last sync";
    }
    possible_ = {logged_};
    return std::nullopt;
  }

  // Makes everything durable, what was not logged too; or meets an error, and changes nothing.
  Differs Checkpoint(const Step& step) {
    if (step.sync) {
      // That of the manifest or that of the snapshot.
      disk_.InjectFault({.operation = stress::FileOperation::kRename, .nth = 1 + step.number % 2});
      return store_->Checkpoint().ok() ? Differs("a checkpoint that fails, and says OK")
                                       : Differs();
    }
    logged_ = live_;
    logged_next_ = next_;
    possible_ = {logged_};
    if (mutant_ == Mutant::kForgetsCheckpoints) return std::nullopt;
    return Failed("Checkpoint", store_->Checkpoint());
  }

  std::map<std::string, Operations> Recovered() const {
    std::vector<RecoveredTransaction> transactions;
    std::map<std::string, Operations> recovered;
    if (!store_->RecoveredTransactions(&transactions).ok()) return recovered;
    for (const RecoveredTransaction& transaction : transactions) {
      (void)transaction.batch.Iterate(&recovered[transaction.xid]);
    }
    return recovered;
  }

  static Operations OperationsOf(const Step& step) {
    Operations operations;
    const bool one = step.call == Call::kPut || step.call == Call::kDelete;
    const uint32_t count = one ? 1 : step.number % 5;
    for (uint32_t i = 0; i < count; ++i) {
      const bool deletion = one ? step.call == Call::kDelete : ((step.number >> i) & 1) != 0;
      operations.emplace_back(
          KeyOf(step.key + i * step.number),
          deletion ? std::nullopt : std::optional(std::to_string(step.number + i)));
    }
    return operations;
  }

  // What is logged now may come back after a power failure; has to, if it was synced.
  void Logged(const Step& step) {
    if (step.sync) possible_.clear();
    possible_.push_back(logged_);
  }

  Differs Write(const Step& step) {
    Operations operations = OperationsOf(step);
    operations.Apply(&live_.contents);
    if (!step.unlogged) operations.Apply(&logged_.contents);
    if (!step.unlogged) Logged(step);
    if (mutant_ == Mutant::kBatchesInReverse) std::reverse(operations.begin(), operations.end());
    return Took(step, operations.size(), Write(step, operations));
  }

  // A write that consumed `count` sequences.
  Differs Took(const Step& step, size_t count, const WriteResult& result) {
    const SequenceNumber first = count == 0 ? 0 : next_;
    next_ += count;
    if (!step.unlogged) logged_next_ = next_;
    if (!result.status.ok()) return Failed("Write", result.status);
    if (result.sequence != first) return "sequence " + std::to_string(result.sequence);
    return std::nullopt;
  }

  static std::string XidOf(const Step& step) {
    return "x" + std::to_string(step.key % kTransactions);
  }

  Differs Prepare(const Step& step) {
    Operations operations = OperationsOf(step);
    const bool refused = step.unlogged || live_.prepared.contains(XidOf(step));
    if (!refused) {
      live_.prepared[XidOf(step)] = logged_.prepared[XidOf(step)] = operations;
      logged_next_ = next_;
      Logged(step);
    }
    WriteBatch batch;
    const bool forgets = mutant_ == Mutant::kCommitsWithoutTheLastOperation;
    if (forgets && !operations.empty()) operations.pop_back();
    for (const auto& [key, value] : operations) {
      (void)(value ? batch.Put(key, *value) : batch.Delete(key));
    }
    const Status status = store_->Prepare(step.Options(), XidOf(step), &batch);
    if (!refused) return Failed("Prepare", status);
    return status.code() == Status::Code::kInvalidArgument
               ? Differs()
               : "a xid that is prepared twice, or not logged";
  }

  Differs Decide(const Step& step) {
    const auto found = live_.prepared.find(XidOf(step));
    const bool prepared = !step.unlogged && found != live_.prepared.end();
    const bool commits = step.call == Call::kCommit;
    const size_t count = prepared && commits ? found->second.size() : 0;
    for (State* state : {&live_, &logged_}) {
      if (prepared && commits) state->prepared[XidOf(step)].Apply(&state->contents);
      if (prepared) state->prepared.erase(XidOf(step));
    }
    if (prepared) Logged(step);
    WriteResult result;
    if (commits) {
      result = store_->Commit(step.Options(), XidOf(step));
    } else if (!prepared || mutant_ != Mutant::kForgetsRollbacks) {
      result.status = store_->Rollback(step.Options(), XidOf(step));
    }
    if (prepared) return Took(step, count, result);
    if (step.unlogged && result.status.code() == Status::Code::kInvalidArgument) return Differs();
    return result.status.IsNotFound() ? Differs() : "a decision of what is not prepared";
  }

  WriteResult Write(const Step& step, const Operations& operations) {
    WriteOptions options = step.Options();
    if (mutant_ == Mutant::kUnloggedIsLogged) options.disable_wal = false;
    const bool forgets = mutant_ == Mutant::kForgetsDeletes;
    if (step.call == Call::kPut) {
      return store_->Put(options, operations[0].first, *operations[0].second);
    }
    if (step.call == Call::kDelete && !forgets) return store_->Delete(options, operations[0].first);
    WriteBatch batch;
    for (const auto& [key, value] : operations) {
      if (value) (void)batch.Put(key, *value);
      if (!value && !forgets) (void)batch.Delete(key);
    }
    // A mutant that was found out by a sequence number would show nothing of the reads.
    while (forgets && batch.Count() < operations.size()) (void)batch.Put("forgotten", "");
    return store_->Write(options, &batch);
  }

  // The newest state or that of a snapshot.
  View Choose(const Step& step) const {
    const size_t index = step.number % (views_.size() + 1);
    return index == views_.size() ? View{{}, live_.contents} : views_[index];
  }

  ReadOptions OptionsOf(const View& view) const {
    const bool newest = !view.snapshot || mutant_ == Mutant::kIgnoresSnapshots;
    return {.snapshot = newest ? nullptr : &*view.snapshot};
  }

  static std::optional<std::string> Expected(const View& view, const std::string& key) {
    const auto found = view.contents.find(key);
    return found == view.contents.end() ? std::nullopt : std::optional(found->second);
  }

  Differs Read(const Step& step) const {
    const View view = Choose(step);
    const std::array<std::string, 3> keys{KeyOf(step.key), KeyOf(step.key + step.number),
                                          KeyOf(step.key)};
    std::vector<std::optional<std::string>> values;
    if (step.call == Call::kMultiGet) {
      const std::vector<std::string_view> asked(keys.begin(), keys.end());
      const Status status = store_->MultiGet(OptionsOf(view), asked, &values);
      if (!status.ok() || values.size() != keys.size()) return "MultiGet: " + status.ToString();
    } else {
      std::string value;
      const Status status = store_->Get(OptionsOf(view), keys[0], &value);
      if (!status.ok() && status.code() != Status::Code::kNotFound) return Failed("Get", status);
      values = {status.ok() ? std::optional(value) : std::nullopt};
    }
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != Expected(view, keys[i])) return "the value of " + keys[i];
    }
    return std::nullopt;
  }

  Differs Iterate(const Step& step) const {
    return Compare(Choose(step), step.sync ? "" : KeyOf(step.key));
  }

  Differs Compare(const View& view, const std::string& from) const {
    const Contents expected(view.contents.lower_bound(from), view.contents.end());
    return AllFrom(view, from) == expected ? std::nullopt : Differs("what an iterator finds");
  }

  Contents AllFrom(const View& view, const std::string& from) const {
    Contents contents;
    std::unique_ptr<Store::Iterator> iterator;
    if (!store_->NewIterator(OptionsOf(view), &iterator).ok()) return contents;
    from.empty() ? iterator->SeekToFirst() : iterator->Seek(from);
    for (; iterator->Valid(); iterator->Next()) {
      contents.emplace(iterator->key(), iterator->value());
    }
    return contents;
  }

  const WritePathOptions options_;
  const Mutant mutant_;
  stress::SimulatedFileSystem disk_;
  std::unique_ptr<Store> store_;
  State live_;
  State logged_;                     // after a reopen
  std::vector<State> possible_{{}};  // after a power failure
  std::vector<View> views_;          // of the snapshots
  SequenceNumber next_ = 1;
  SequenceNumber logged_next_ = 1;  // after a reopen
};

bool HoldsFor(const stress::Mode& mode, Mutant mutant) {
  return rc::check(std::string(mode.name), [&] {
    const std::vector<Step> steps = *AnySteps();
    const std::optional<std::string> wrong = Sequence(mode.options, mutant).Run(steps);
    if (wrong) RC_FAIL(*wrong);
  });
}

class ApiSequenceTest : public testing::TestWithParam<stress::Mode> {
 protected:
  // The same sequences each time, unless the caller asks for others.
  static void SetUpTestSuite() { (void)::setenv("RC_PARAMS", "seed=1 max_success=300", 0); }
};

TEST_P(ApiSequenceTest, BehavesAsAMap) { EXPECT_TRUE(HoldsFor(GetParam(), Mutant::kNone)); }

TEST_P(ApiSequenceTest, MutantsAreCaught) {
  for (const Mutant mutant :
       {Mutant::kForgetsDeletes, Mutant::kBatchesInReverse, Mutant::kIgnoresSnapshots,
        Mutant::kSyncsNothing, Mutant::kForgetsRollbacks, Mutant::kCommitsWithoutTheLastOperation,
        Mutant::kReopensWithoutTheLastWrite, Mutant::kForgetsCheckpoints,
        Mutant::kUnloggedIsLogged}) {
    EXPECT_FALSE(HoldsFor(GetParam(), mutant)) << "mutant " << static_cast<int>(mutant);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryMode, ApiSequenceTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
