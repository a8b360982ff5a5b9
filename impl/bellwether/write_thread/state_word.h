// The state word of a Writer: one thread awaits a state, another sets it (spec/StateWord.tla).
//
//   AwaitState: spins a little on the word (the policy's SpinUntil), then blocks
//     (BlockingAwaitState)
//   SetState: one CAS if the waiter does not block; otherwise store and notify under the Writer's
//     mutex
//
// Invariants
//   INV_WAKEUP    STATE_LOCKED_WAITING obliges whoever sets the state to use the mutex, so no wake
//                 is lost
//   INV_LIFETIME  if the new state is terminal, the owner may return as soon as the CAS succeeded
//                 or the mutex is unlocked: nothing of the Writer is touched after that. (Store,
//                 then notify without the mutex, as std::atomic's wait and notify_one do, would
//                 touch it.)
//
// Thread safety: the owner awaits; at any time at most one other thread may set the state.
#pragma once

#include <cstdint>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_thread/writer.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch>
std::uint8_t BlockingAwaitState(Writer<Sync, Batch>* w, std::uint8_t goal_mask) {
  std::uint8_t state = w->state.load(orders::BlockingAwaitState_Load);
  if ((state & goal_mask) != 0) return state;
  // If the CAS fails, the goal was met meanwhile: no state lies between the one seen and the goal.
  if (!w->state.compare_exchange_strong(state, STATE_LOCKED_WAITING,
                                        orders::BlockingAwaitState_Cas)) {
    return state;
  }
  w->state_mutex.lock();
  state = w->state.load(orders::BlockingAwaitState_LockedLoad);
  while (state == STATE_LOCKED_WAITING) {
    w->state_cv.wait(w->state_mutex);
    state = w->state.load(orders::BlockingAwaitState_LockedLoad);
  }
  w->state_mutex.unlock();
  return state;
}

// Returns the state in `goal_mask` that was set.
// REQUIRES: w belongs to the caller, and every state that another thread may set next is in
// goal_mask.
template <SyncPolicy Sync, class Batch>
State AwaitState(Writer<Sync, Batch>* w, std::uint8_t goal_mask, const AwaitSite& site) {
  std::uint8_t state = Sync::SpinUntil(w->state, goal_mask, orders::AwaitState_Load, site);
  if ((state & goal_mask) == 0) state = BlockingAwaitState(w, goal_mask);
  Sync::OnAction(site.action, w);
  return static_cast<State>(state);
}

// `action` names the store; it is told here because nothing may come between.
template <SyncPolicy Sync, class Batch>
void SetState(Writer<Sync, Batch>* w, State new_state, const char* action) {
  std::uint8_t state = w->state.load(orders::SetState_Load);
  if (state != STATE_LOCKED_WAITING &&
      w->state.compare_exchange_strong(state, new_state, orders::SetState_Cas)) {
    Sync::OnAction(action, w);
    return;
  }
  w->state_mutex.lock();
  w->state.store(new_state, orders::SetState_LockedStore);
  Sync::OnAction(action, w);
  w->state_cv.notify_one();
  w->state_mutex.unlock();
}

}  // namespace bellwether
