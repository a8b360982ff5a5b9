// RelacySync: the Sync policy under Relacy. The same header that ships runs here, and every shared
// access of it becomes one step of an exploration (execution.h).
//
//   Atomic    rl::atomic: stale reads as C++11 allows them (README, limits), orders resolved at run
//             time, so that an order mutant needs no rebuild
//   Plain     rl::var beside the value: a race on it is found by happens-before, in whatever order
//             the two accesses ran
//   Mutex, CondVar   steps of their own; happens-before comes from an rl::atomic that only
//             read-modify-writes touch
//   SpinUntil an await: one step, enabled when the goal holds in the newest value; or, when
//             blocking waits are explored, one load, so that BlockingAwaitState goes on
//   Linger    nothing, or, where it is explored, one look
//
// Lifetime: each object holds a hidden rl::var, read with every operation and written by the
// destructor. An operation that does not happen before the destructor is a race there; one after it
// meets the wiped signature (-fno-lifetime-dse).
//
// Thread safety: none; Relacy runs one fiber at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "relacy_tests/execution.h"
#include "relacy_tests/relacy.h"
#include "relacy_tests/settings.h"

namespace bellwether::relacy {

using Where = std::source_location;

// --- helpers of the policy ----------------------------------------------------------------------

inline rl::debug_info Info(const Where& where) {
  return rl::debug_info(where.function_name(), where.file_name(), where.line());
}

inline rl::memory_order ToRelacy(std::memory_order order) {
  switch (order) {
    case std::memory_order::relaxed:
      return rl::mo_relaxed;
    case std::memory_order::consume:
      return rl::mo_consume;
    case std::memory_order::acquire:
      return rl::mo_acquire;
    case std::memory_order::release:
      return rl::mo_release;
    case std::memory_order::acq_rel:
      return rl::mo_acq_rel;
    default:
      return rl::mo_seq_cst;
  }
}

inline rl::memory_order Resolve(std::string_view entry, OrderMutation::Field field,
                                std::memory_order order) {
  if (settings.mutation.entry == entry && settings.mutation.field == field) {
    execution.mutated_order_used = true;
    return ToRelacy(settings.mutation.order);
  }
  return ToRelacy(order);
}

inline int CurrentThread() { return rl::ctx().threadx_->index_; }

inline void Announce(const Step& step) {
  const auto thread = static_cast<std::size_t>(CurrentThread());
  execution.next[thread] = step;
  execution.linking[thread] = nullptr;
  rl::ctx().sched();
}

inline unsigned Choose(unsigned limit) { return rl::ctx().rand(limit, rl::sched_type_user); }

[[noreturn]] inline void Fail(const char* property, const Where& where = Where::current(),
                              rl::test_result_e result = rl::test_result_user_assert_failed) {
  execution.failed_property = property;
  execution.where = where;
  rl::ctx().fail_test(property, result, Info(where));
  __builtin_unreachable();
}

inline void Check(bool condition, const char* property, const Where& where = Where::current()) {
  if (!condition) Fail(property, where);
}

// Relacy's own operations are scheduling points too; the step was announced already.
class NoSwitch {
 public:
  NoSwitch() : disabler_(rl::ctx()) {}

 private:
  rl::preemption_disabler disabler_;
};

template <class T>
std::uint64_t ToWord(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<std::uintptr_t>(value);
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

template <class T>
T FromWord(std::uint64_t word) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(static_cast<std::uintptr_t>(word));
  } else {
    return static_cast<T>(word);
  }
}

inline void Note(std::string_view name, const char* note, const void* object, std::uint64_t value) {
  execution.rows.push_back({CurrentThread(), false, name, object, value, note});
}

// The hidden variable by which uses of an object outside its lifetime are found.
class Lifetime {
 public:
  explicit Lifetime(const void* object) : object_(object), var_(0) {}
  ~Lifetime() {
    execution.Destroyed(object_);
    var_(Info(Where::current())).store(1);
  }
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  void Use(const Where& where) const {
    execution.where = where;
    static_cast<void>(var_(Info(where)).load());
  }

 private:
  const void* object_;
  rl::var<int> var_;
};

// --- the policy
// -----------------------------------------------------------------------------------

// Relacy sees every value as a number: one kind of rl::atomic, whatever T is.
template <class T>
class RelacyAtomic {
 public:
  explicit RelacyAtomic(T value) : lifetime_(this) {
    NoSwitch no_switch;
    word_.store(ToWord(value), rl::mo_relaxed, Info(Where::current()));
  }
  RelacyAtomic(const RelacyAtomic&) = delete;
  RelacyAtomic& operator=(const RelacyAtomic&) = delete;

  T load(const orders::LoadOrder& order, const Where& where = Where::current()) const {
    const auto relacy_order = Resolve(order.name, OrderMutation::Field::kOrder, order.order);
    if (settings.link_loop_as_one_step && StartsLinkLoop(order)) {
      Announce(StepOn(true));
      lifetime_.Use(where);
      execution.linking[static_cast<std::size_t>(CurrentThread())] = this;
      return FromWord<T>(ReadNewest(relacy_order, where));
    }
    Announce(StepOn(false));
    lifetime_.Use(where);
    NoSwitch no_switch;
    const std::uint64_t word = word_.load(relacy_order, Info(where));
    Note(order.name, word == word_.debug_value() ? "=" : "= stale", this, word);
    return FromWord<T>(word);
  }

  void store(T value, const orders::StoreOrder& order, const Where& where = Where::current()) {
    Announce(StepOn(true));
    lifetime_.Use(where);
    NoSwitch no_switch;
    previous_ = word_.debug_value();
    word_.store(ToWord(value), Resolve(order.name, OrderMutation::Field::kOrder, order.order),
                Info(where));
    Note(order.name, ":=", this, ToWord(value));
  }

  bool compare_exchange_weak(T& expected, T desired, const orders::CasOrder& order,
                             const Where& where = Where::current()) {
    return CompareExchange(expected, desired, order, settings.spurious, where);
  }
  bool compare_exchange_strong(T& expected, T desired, const orders::CasOrder& order,
                               const Where& where = Where::current()) {
    return CompareExchange(expected, desired, order, false, where);
  }

  T exchange(T value, const orders::RmwOrder& order, const Where& where = Where::current()) {
    return Modify([value](T) { return value; }, order, where);
  }
  T fetch_add(T value, const orders::RmwOrder& order, const Where& where = Where::current()) {
    return Modify([value](T old) { return static_cast<T>(old + value); }, order, where);
  }
  T fetch_sub(T value, const orders::RmwOrder& order, const Where& where = Where::current()) {
    return Modify([value](T old) { return static_cast<T>(old - value); }, order, where);
  }

  // The newest value, outside the memory model: for who looks on, not for the code under test.
  T Newest() const { return FromWord<T>(word_.debug_value()); }

  // Waits until a bit of `goal` is set and reads the value that set it. Older values that a spin
  // might have read first would only add synchronisation, so leaving them out loses no behaviour.
  T Await(T goal, const orders::LoadOrder& order, const Where& where) const {
    Step step = StepOn(false);
    step.family = Family::kAwait;
    step.wants = Wants::kAnyBitOf;
    step.mask = ToWord(goal);
    Announce(step);
    lifetime_.Use(where);
    Check((previous_ & ToWord(goal)) == 0, "Await: an older value meets the goal too", where);
    const std::uint64_t word =
        ReadNewest(Resolve(order.name, OrderMutation::Field::kOrder, order.order), where);
    Note(order.name, "await", this, word);
    return FromWord<T>(word);
  }

 private:
  static std::uint64_t Value(const void* self) {
    return static_cast<const RelacyAtomic*>(self)->word_.debug_value();
  }

  // The link loop (load, write the private link, CAS) explored as one step: the load takes the
  // step of the whole loop and reads the newest value, so that the CAS succeeds at once. A failed
  // turn of the loop writes only the caller's own link_older.
  static bool StartsLinkLoop(const orders::LoadOrder& order) {
    return order.name == orders::LinkOne_Load.name || order.name == orders::LinkGroup_Load.name;
  }

  Step StepOn(bool writes) const {
    Step step;
    step.family = Family::kAtomic;
    step.access[0] = {this, writes};
    step.value = &RelacyAtomic::Value;
    return step;
  }

  // A failing compare-exchange is the one operation of Relacy that always reads the newest value.
  std::uint64_t ReadNewest(rl::memory_order order, const Where& where) const {
    NoSwitch no_switch;
    std::uint64_t word = ~word_.debug_value();
    const_cast<rl::atomic<std::uint64_t>&>(word_).compare_exchange(
        rl::bool_t<false>(), word, word, rl::mo_acq_rel, order, Info(where));
    return word;
  }

  // Relacy couples the two orders of a compare-exchange as C++11 did. Which of them applies is
  // known before, because it reads the newest value and no other thread runs meanwhile.
  bool CompareExchange(T& expected, T desired, const orders::CasOrder& order, bool may_fail,
                       const Where& where) {
    const auto thread = static_cast<std::size_t>(CurrentThread());
    if (execution.linking[thread] != this) Announce(StepOn(true));
    execution.linking[thread] = nullptr;
    lifetime_.Use(where);
    std::uint64_t current = word_.debug_value();
    const bool equal = FromWord<T>(current) == expected;
    const bool spurious = equal && may_fail && !failed_ && Choose(2) == 1;
    if (equal && !spurious) {
      NoSwitch no_switch;
      previous_ = current;
      word_.compare_exchange(rl::bool_t<false>(), current, ToWord(desired),
                             Resolve(order.name, OrderMutation::Field::kSuccess, order.success),
                             rl::mo_relaxed, Info(where));
      Note(order.name, "cas", this, ToWord(desired));
      return true;
    }
    failed_ = failed_ || spurious;
    const std::uint64_t seen =
        ReadNewest(Resolve(order.name, OrderMutation::Field::kFailure, order.failure), where);
    expected = FromWord<T>(seen);
    Note(order.name, spurious ? "cas failed spuriously" : "cas failed", this, seen);
    return false;
  }

  template <class Change>
  T Modify(const Change& change, const orders::RmwOrder& order, const Where& where) {
    Announce(StepOn(true));
    lifetime_.Use(where);
    NoSwitch no_switch;
    previous_ = word_.debug_value();
    const T before = FromWord<T>(previous_);
    const std::uint64_t after = ToWord(change(before));
    word_.exchange(after, Resolve(order.name, OrderMutation::Field::kOrder, order.order),
                   Info(where));
    Note(order.name, "modify", this, after);
    return before;
  }

  rl::atomic<std::uint64_t> word_;
  std::uint64_t previous_ = 0;  // what the newest store replaced
  bool failed_ = false;         // spuriously, once
  Lifetime lifetime_;           // last, so that it is destroyed first
};

template <class T>
class RelacyPlain {
 public:
  RelacyPlain() : value_(), guard_(0) {}
  explicit RelacyPlain(T value) : value_(std::move(value)), guard_(0) {}
  ~RelacyPlain() { guard_(Info(Where::current())).store(0); }
  RelacyPlain(const RelacyPlain&) = delete;
  RelacyPlain& operator=(const RelacyPlain&) = delete;

  T Get(const Where& where = Where::current()) const {
    execution.where = where;
    static_cast<void>(guard_(Info(where)).load());
    return value_;
  }
  void Set(T value, const Where& where = Where::current()) {
    execution.where = where;
    guard_(Info(where)).store(0);
    value_ = std::move(value);
  }
  // As RelacyAtomic::Newest.
  const T& Peek() const { return value_; }

 private:
  T value_;
  rl::var<int> guard_;
};

class RelacyMutex {
 public:
  RelacyMutex() : lifetime_(this) {
    NoSwitch no_switch;
    clock_.store(0, rl::mo_relaxed, Info(Where::current()));
  }
  ~RelacyMutex() {
    if (owner_ != 0) {
      Fail("a mutex is destroyed while it is locked", Where::current(),
           rl::test_result_destroying_owned_mutex);
    }
  }
  RelacyMutex(const RelacyMutex&) = delete;
  RelacyMutex& operator=(const RelacyMutex&) = delete;

  void lock(const Where& where = Where::current()) {
    Step step = StepOn();
    step.wants = Wants::kZero;
    step.value = &RelacyMutex::Owner;
    Announce(step);
    lifetime_.Use(where);
    owner_ = static_cast<unsigned>(CurrentThread()) + 1;
    NoSwitch no_switch;
    clock_.fetch_add(1, rl::mo_acquire, Info(where));
    Note("mutex", "lock", this, owner_);
  }

  void unlock(const Where& where = Where::current()) {
    Announce(StepOn());
    Release(where);
    Note("mutex", "unlock", this, 0);
  }

 private:
  friend class RelacyCondVar;

  static std::uint64_t Owner(const void* self) {
    return static_cast<const RelacyMutex*>(self)->owner_;
  }

  Step StepOn() const {
    Step step;
    step.family = Family::kMutex;
    step.access[0] = {this, true};
    step.value = &RelacyMutex::Owner;
    return step;
  }

  void Release(const Where& where) {
    lifetime_.Use(where);
    if (owner_ != static_cast<unsigned>(CurrentThread()) + 1) {
      Fail("a mutex is unlocked by a thread that does not hold it", where,
           rl::test_result_unlocking_mutex_wo_ownership);
    }
    NoSwitch no_switch;
    clock_.fetch_add(1, rl::mo_release, Info(where));
    owner_ = 0;
  }

  rl::atomic<std::uint64_t> clock_;
  unsigned owner_ = 0;  // thread + 1
  Lifetime lifetime_;
};

class RelacyCondVar {
 public:
  RelacyCondVar() : lifetime_(this) {}
  RelacyCondVar(const RelacyCondVar&) = delete;
  RelacyCondVar& operator=(const RelacyCondVar&) = delete;

  // Two steps and the lock: leave the mutex and join the waiters; be woken.
  void wait(RelacyMutex& mutex, const Where& where = Where::current()) {
    const std::uint64_t self = std::uint64_t{1} << CurrentThread();
    Step enter = StepOn(true);
    enter.access[1] = {&mutex, true};
    Announce(enter);
    lifetime_.Use(where);
    mutex.Release(where);
    const bool spurious = settings.spurious && !woke_spuriously_ && Choose(2) == 1;
    woke_spuriously_ = woke_spuriously_ || spurious;
    (spurious ? woken_ : waiting_) |= self;
    Note("cond_var", spurious ? "wait, to wake spuriously" : "wait", this, 0);

    Step wake = StepOn(false);
    wake.wants = Wants::kAnyBitOf;
    wake.mask = self;
    Announce(wake);
    lifetime_.Use(where);
    woken_ &= ~self;
    Note("cond_var", "woken", this, 0);
    mutex.lock(where);
  }

  void notify_one(const Where& where = Where::current()) {
    Notify("notify_one", where);
    if (waiting_ == 0) return;
    unsigned choice = Choose(static_cast<unsigned>(__builtin_popcountll(waiting_)));
    std::uint64_t rest = waiting_;
    for (; choice != 0; --choice) rest &= rest - 1;
    const std::uint64_t chosen = rest & (~rest + 1);
    waiting_ &= ~chosen;
    woken_ |= chosen;
  }

  void notify_all(const Where& where = Where::current()) {
    Notify("notify_all", where);
    woken_ |= waiting_;
    waiting_ = 0;
  }

 private:
  void Notify(const char* how, const Where& where) {
    Announce(StepOn(true));
    lifetime_.Use(where);
    Note("cond_var", how, this, waiting_);
  }

  static std::uint64_t Woken(const void* self) {
    return static_cast<const RelacyCondVar*>(self)->woken_;
  }

  Step StepOn(bool writes) const {
    Step step;
    step.family = Family::kCondVar;
    step.access[0] = {this, writes};
    step.value = &RelacyCondVar::Woken;
    return step;
  }

  std::uint64_t waiting_ = 0;  // one bit a thread
  std::uint64_t woken_ = 0;
  bool woke_spuriously_ = false;
  Lifetime lifetime_;
};

struct RelacySync {
  static constexpr std::size_t kCacheLine = alignof(std::max_align_t);

  template <class T>
  using Atomic = RelacyAtomic<T>;
  template <class T>
  using Plain = RelacyPlain<T>;
  using Mutex = RelacyMutex;
  using CondVar = RelacyCondVar;

  template <class T>
  static T SpinUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order,
                     const AwaitSite& /*site*/, const Where& where = Where::current()) {
    return settings.blocking_wait ? word.load(order, where) : word.Await(goal_mask, order, where);
  }

  template <class Enough>
  static void Linger(const Enough& enough) {
    if (settings.linger) (void)enough();
  }

  static void OnAction(const char* action, const void* writer) {
    execution.rows.push_back({CurrentThread(), true, action, writer, 0, ""});
    if (settings.on_action != nullptr) settings.on_action(action, writer);
  }

  template <class Condition>
  static void Assert(const Condition& condition, const char* property,
                     const Where& where = Where::current()) {
    if (settings.assertions) Check(condition(), property, where);
  }
};

static_assert(SyncPolicy<RelacySync>);

}  // namespace bellwether::relacy
