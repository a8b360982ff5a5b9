// Relacy finds a use of a destroyed object by the signature that its destructor wiped. Without
// -fno-lifetime-dse the compiler may drop that store, and the search would still say COMPLETE. No
// macro tells the flag, so each explorer asks the compiled code at its start.
#pragma once

#include <cstring>
#include <new>

namespace bellwether::relacy {

struct LifetimeProbe {
  LifetimeProbe() : signature(kAlive) {}
  ~LifetimeProbe() { signature = 0; }
  LifetimeProbe(const LifetimeProbe&) = delete;
  LifetimeProbe& operator=(const LifetimeProbe&) = delete;

  static constexpr unsigned kAlive = 0x5ee4a11fu;
  unsigned signature;
};

// True if the store of a destructor can still be seen.
[[gnu::noinline]] inline bool DestructorStoresAreKept() {
  alignas(LifetimeProbe) unsigned char memory[sizeof(LifetimeProbe)];
  LifetimeProbe* const probe = new (memory) LifetimeProbe;
  asm volatile("" : : "r"(probe) : "memory");
  probe->~LifetimeProbe();
  asm volatile("" : : "r"(memory) : "memory");
  unsigned seen = 0;
  std::memcpy(&seen, memory, sizeof(seen));
  return seen == 0;
}

}  // namespace bellwether::relacy
