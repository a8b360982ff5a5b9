# Builds upstream_defects_test against a header in which one place behaves as RocksDB's does, and expects the test of
# that defect to fail. A place that is no longer there is an error: the mutant has to follow the code.

# bellwether_add_upstream_mutant(NAME L2 HEADER h BEFORE text AFTER text EXPECT regex LABELS l [PRESETS p])
function(bellwether_add_upstream_mutant)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;HEADER;BEFORE;AFTER;EXPECT" "LABELS;PRESETS")
  set(target upstream_${arg_NAME}_mutant)
  bellwether_add_gtest(NAME ${target} LABELS ${arg_LABELS} PRESETS ${arg_PRESETS} SOURCES
                       upstream_defects_test.cc LIBRARIES bellwether_upstream_fixture)
  if(NOT TARGET ${target})
    return()
  endif()
  set(header ${PROJECT_SOURCE_DIR}/impl/${arg_HEADER})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(READ ${header} text)
  string(FIND "${text}" "${arg_BEFORE}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "mutant ${arg_NAME}: impl/${arg_HEADER} no longer holds '${arg_BEFORE}'; adapt the mutant")
  endif()
  string(REPLACE "${arg_BEFORE}" "${arg_AFTER}" text "${text}")
  set(overlay ${CMAKE_CURRENT_BINARY_DIR}/${target}_impl)
  file(CONFIGURE OUTPUT ${overlay}/${arg_HEADER} CONTENT "${text}" @ONLY)
  target_include_directories(${target} BEFORE PRIVATE ${overlay})
  set(test ${target})
  if(NOT BELLWETHER_PRESET STREQUAL "release")
    set(test ${BELLWETHER_PRESET}.${target})
  endif()
  set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION "${arg_EXPECT}")
endfunction()

bellwether_add_upstream_mutant(
  NAME L1 LABELS tsan PRESETS tsan
  HEADER bellwether/write_thread/memtable_writers.h
  BEFORE "    leader->state_mutex.lock();\n    write_group->status.Set(status);\n    leader->state_mutex.unlock();"
  AFTER "    (void)leader;\n    write_group->status.Set(status);"
  EXPECT "data race")
bellwether_add_upstream_mutant(
  NAME L2 LABELS negative
  HEADER bellwether/write_thread/write_thread.h
  BEFORE "  ExitAsBatchGroupLeader(write_group);\n  // Last,"
  AFTER "  ExitAsBatchGroupLeader(write_group);\n  leader->status.Set(Status::OK());\n  // Last,"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L2[A-Za-z]*/parallel,")
bellwether_add_upstream_mutant(
  NAME L7 LABELS negative
  HEADER bellwether/write_path/write_path.h
  BEFORE "      const Status error = FirstError();\n      Sync::OnAction"
  AFTER "      const Status error = Status::OK();\n      Sync::OnAction"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L7[A-Za-z]*/pipelined,")
bellwether_add_upstream_mutant(
  NAME L9 LABELS negative
  HEADER bellwether/write_path/write_path.h
  BEFORE "    group->status.Set(status);\n    SetLastSequence(group);"
  AFTER "    if (status.ok()) SetLastSequence(group);\n    if (!status.ok()) group->leader.Get()->callback_status.Set(status);"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L9[A-Za-z]*/serial,")
