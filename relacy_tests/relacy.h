// Relacy, unpatched, by its sub-headers: relacy.hpp and relacy_std.hpp redefine names of the
// standard library. RL_DO_ASSERT=1 keeps its internal checks on. Include it before anything else
// that a translation unit needs of it.
#pragma once

#ifndef __GNUC__
#error "Relacy needs GNU C++"
#endif
#ifdef __clang__
#error \
    "Relacy needs g++: clang has no -fno-lifetime-dse, and without it uses of destroyed objects go unseen"
#endif

#define RL_DO_ASSERT 1

// The order matters: each builds on those before it.
// clang-format off
#include <relacy/base.hpp>
#include <relacy/context.hpp>
#include <relacy/context_base_impl.hpp>
#include <relacy/backoff.hpp>
#include <relacy/atomic_fence.hpp>
#include <relacy/atomic.hpp>
#include <relacy/var.hpp>
#include <relacy/thread_local.hpp>
#include <relacy/test_suite.hpp>
#include <relacy/dyn_thread.hpp>
#include <relacy/stdlib/mutex.hpp>
#include <relacy/stdlib/condition_variable.hpp>
#include <relacy/stdlib/semaphore.hpp>
#include <relacy/stdlib/event.hpp>
// clang-format on

#undef $
