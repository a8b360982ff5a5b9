// Exit code 0 if this build keeps the stores of destructors, else 1: command_line_test.py builds it
// with and without -fno-lifetime-dse.
#include "relacy_tests/lifetime_probe.h"

int main() { return bellwether::relacy::DestructorStoresAreKept() ? 0 : 1; }
