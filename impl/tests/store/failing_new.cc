#include "failing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace bellwether {

thread_local int64_t allocations_left = -1;
thread_local bool allocation_refused = false;

}  // namespace bellwether

void* operator new(std::size_t size) {
  if (bellwether::allocations_left == 0) {
    bellwether::allocation_refused = true;
    bellwether::allocations_left = -1;
    throw std::bad_alloc();
  }
  if (bellwether::allocations_left > 0) --bellwether::allocations_left;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
