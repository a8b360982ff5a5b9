# Builds a test against a header in which one place behaves wrongly, and expects it to fail as EXPECT says.

# bellwether_add_mutant(NAME n SOURCE test.cc HEADER h BEFORE text AFTER text EXPECT regex LABELS l [PRESETS p]
#                       [LIBRARIES l])
function(bellwether_add_mutant)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;SOURCE;HEADER;BEFORE;AFTER;EXPECT" "LABELS;PRESETS;LIBRARIES")
  set(target ${arg_NAME}_mutant)
  bellwether_add_gtest(NAME ${target} LABELS ${arg_LABELS} PRESETS ${arg_PRESETS} SOURCES
                       ${arg_SOURCE} LIBRARIES ${arg_LIBRARIES})
  if(NOT TARGET ${target})
    return()
  endif()
  bellwether_mutate_header(${target} ${arg_HEADER} "${arg_BEFORE}" "${arg_AFTER}")
  set(test ${target})
  if(NOT BELLWETHER_PRESET STREQUAL "release")
    set(test ${BELLWETHER_PRESET}.${target})
  endif()
  set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION "${arg_EXPECT}")
endfunction()

# As RocksDB does: its defects.
set(upstream SOURCE upstream_defects_test.cc LIBRARIES bellwether_upstream_fixture)
bellwether_add_mutant(
  ${upstream} NAME upstream_L1 LABELS tsan PRESETS tsan
  HEADER bellwether/write_thread/memtable_writers.h
  BEFORE "    leader->state_mutex.lock();\n    write_group->status.Set(status);\n    leader->state_mutex.unlock();"
  AFTER "    (void)leader;\n    write_group->status.Set(status);"
  EXPECT "data race")
bellwether_add_mutant(
  ${upstream} NAME upstream_L2 LABELS negative
  HEADER bellwether/write_thread/write_thread.h
  BEFORE "  ExitAsBatchGroupLeader(write_group);\n  // Last,"
  AFTER "  ExitAsBatchGroupLeader(write_group);\n  leader->status.Set(Status::OK());\n  // Last,"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L2[A-Za-z]*/parallel,")
bellwether_add_mutant(
  ${upstream} NAME upstream_L7 LABELS negative
  HEADER bellwether/write_path/write_path.h
  BEFORE "      const Status error = FirstError();\n      Sync::OnAction"
  AFTER "      const Status error = Status::OK();\n      Sync::OnAction"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L7[A-Za-z]*/pipelined,")
bellwether_add_mutant(
  ${upstream} NAME upstream_L9 LABELS negative
  HEADER bellwether/write_path/write_path.h
  BEFORE "    group->status.Set(status);\n    SetLastSequence(group);"
  AFTER "    if (status.ok()) SetLastSequence(group);\n    if (!status.ok()) group->leader.Get()->callback_status.Set(status);"
  EXPECT "FAILED  . EveryMode/UpstreamDefectTest.L9[A-Za-z]*/serial,")

# As RocksDB did: its past bugs.
set(past SOURCE past_bugs_test.cc LABELS negative LIBRARIES bellwether_upstream_fixture)
bellwether_add_mutant(
  ${past} NAME past_3201 HEADER bellwether/write_path/write_path.h
  BEFORE "    group->status.Set(status.With(Status::Code::kUnknownOutcome));\n    Poison(error"
  AFTER "    leader->callback_status.Set(status.With(Status::Code::kUnknownOutcome));\n    Poison(error"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug3201[A-Za-z]*/serial,")
bellwether_add_mutant(
  ${past} NAME past_4838 HEADER bellwether/write_path/write_path.h
  BEFORE "    Status status = logs ? log_->AddRecord"
  AFTER "    Status status = logs && !leader->CallbackFailed() ? log_->AddRecord"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug4838[A-Za-z]*/serial,")
bellwether_add_mutant(
  ${past} NAME past_1730 HEADER bellwether/write_path/write_path.h
  BEFORE "      if (!w->disable_memtable) next += w->batch->Count();"
  AFTER "      next += w->batch->Count();"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug1730[A-Za-z0-9]*/parallel,")
bellwether_add_mutant(
  ${past} NAME past_3641 HEADER bellwether/write_path/write_path.h
  BEFORE "    Lead(&nonmem_write_thread_, w, &group);"
  AFTER "    Lead(&nonmem_write_thread_, w, &group);\n    if (group.status.Get().ok()) SetLastSequence(&group);"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug3641[A-Za-z]*/two_queues,")
bellwether_add_mutant(
  ${past} NAME past_3656 HEADER bellwether/write_path/write_path.h
  BEFORE "    if (options_.two_write_queues) log_mutex_.lock();\n    WriteGroupToWAL(group);\n    if (options_.two_write_queues) log_mutex_.unlock();"
  AFTER "    WriteGroupToWAL(group);"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug3656[A-Za-z]*/two_queues,")
bellwether_add_mutant(
  ${past} NAME past_8746 HEADER bellwether/write_path/write_path.h
  BEFORE "      status = log_->Sync();\n      if (status.ok()) Sync::OnAction"
  AFTER "      if (options_.two_write_queues) log_mutex_.unlock();\n      status = log_->Sync();\n      if (options_.two_write_queues) log_mutex_.lock();\n      if (status.ok()) Sync::OnAction"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug8746[A-Za-z]*/two_queues,")
bellwether_add_mutant(
  ${past} NAME past_7199 HEADER bellwether/write_path/write_path.h
  BEFORE "    Lead(&nonmem_write_thread_, w, &group);"
  AFTER "    log_mutex_.lock();\n    Lead(&nonmem_write_thread_, w, &group);\n    log_mutex_.unlock();"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug7199[A-Za-z]*/two_queues,")
bellwether_add_mutant(
  ${past} NAME past_6113 HEADER bellwether/write_thread/write_thread.h
  BEFORE "  if (options_.enable_pipelined_write) WaitForMemTableWriters();"
  AFTER ""
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug6113[A-Za-z]*/pipelined,")
bellwether_add_mutant(
  ${past} NAME past_14313 HEADER bellwether/write_path/write_path.h
  BEFORE "    const SequenceNumber first = allocated_sequence_.Get() + 1;"
  AFTER "    const SequenceNumber first = LastSequence() + 1;"
  EXPECT "FAILED  . EveryMode/PastBugTest.Bug14313[A-Za-z]*/pipelined,")
bellwether_add_mutant(
  NAME past_10185 SOURCE ../storage/durable_watermark_test.cc LABELS negative HEADER bellwether/storage/wal_writer.h
  BEFORE "    if (status.ok()) next_sequence_ = next;"
  AFTER "    if (status.ok()) next_sequence_ = next;\n    if (status.ok()) synced_ = file_->size();"
  EXPECT "FAILED  . DurableWatermark.NoPowerFailureLooksLikeCorruption")

# A rotation that fails leaves the log without a word.
bellwether_add_mutant(
  NAME rotation_fails_silently SOURCE queued_writer_test.cc LABELS negative HEADER bellwether/store/store.h
  LIBRARIES bellwether_store_fixture bellwether_upstream_fixture
  BEFORE "          write_path_.Fail(status_of_log);"
  AFTER ""
  EXPECT "FAILED  . EveryMode/QueuedWriterTest.ARotation[A-Za-z]*/serial,")

# A statistic that stands still.
bellwether_add_mutant(
  NAME waits_not_counted SOURCE queued_writer_test.cc LABELS negative HEADER bellwether/store/store.h
  LIBRARIES bellwether_store_fixture bellwether_upstream_fixture
  BEFORE "    if (Policy::BlockedWaits() != waits) waits_.AddShared(1);"
  AFTER "    (void)waits;"
  EXPECT "FAILED  . EveryMode/QueuedWriterTest.OnceForEach[A-Za-z]*/serial,")

# Two-phase commit: what the table of undecided transactions makes of each outcome …
set(table SOURCE transactions_test.cc LABELS negative HEADER bellwether/store/transactions.h)
bellwether_add_mutant(
  ${table} NAME two_phase_prepare_not_synced
  BEFORE "    options.callback = &follow;"
  AFTER "    options.callback = &follow;\n    options.sync = options.sync && effect == Effect::kDecides;"
  EXPECT "FAILED  . TransactionsTest.APrepareAndARollbackAreOnlyLogged")
bellwether_add_mutant(
  ${table} NAME two_phase_prepare_in_the_main_queue
  BEFORE "options.disable_memtable = mark.Count() == 0;"
  AFTER "options.disable_memtable = false;"
  EXPECT "FAILED  . TransactionsTest.APrepareAndARollbackAreOnlyLogged")
bellwether_add_mutant(
  ${table} NAME two_phase_table_behind_the_log
  BEFORE "      entry_->second.undecided = effect_ == Effect::kPrepares;"
  AFTER "      (void)effect_;"
  EXPECT "FAILED  . TransactionsTest.TheTableFollowsTheLog")
bellwether_add_mutant(
  ${table} NAME two_phase_refused_decision_decides
  BEFORE "} else if (status.ok() == prepares) {"
  AFTER "} else if (status.ok() && prepares) {"
  EXPECT "FAILED  . TransactionsTest.WhatIsRefusedChangesNothing")
bellwether_add_mutant(
  ${table} NAME two_phase_unknown_outcome_forgotten
  BEFORE "      transaction.unknown = true;"
  AFTER "      table_.erase(entry);"
  EXPECT "FAILED  . TransactionsTest.AfterAnUnknownOutcome")

# … and what recovery makes of the marks.
set(recovery SOURCE two_phase_recovery_test.cc LABELS negative LIBRARIES bellwether_store_fixture)
bellwether_add_mutant(
  ${recovery} NAME two_phase_prepare_takes_sequences HEADER bellwether/storage/write_batch.h
  BEFORE "if (status.ok()) Marked(0, rep_.size());\n    return status;\n  }\n\n  // Makes an empty batch the commit"
  AFTER "if (status.ok()) Marked(HeaderCount(), rep_.size());\n    return status;\n  }\n\n  // Makes an empty batch the commit"
  EXPECT "FAILED  . EveryMode/TwoPhaseRecoveryTest")
bellwether_add_mutant(
  ${recovery} NAME two_phase_rollback_forgotten HEADER bellwether/storage/prepared_transactions.h
  BEFORE "Status MarkRollback(std::string_view xid) {\n      changes.insert_or_assign(std::string(xid), std::nullopt);"
  AFTER "Status MarkRollback(std::string_view) {"
  EXPECT "FAILED  . EveryMode/TwoPhaseRecoveryTest")
bellwether_add_mutant(
  ${recovery} NAME two_phase_commit_is_empty HEADER bellwether/storage/prepared_transactions.h
  BEFORE "      count += commit.Count();"
  AFTER ""
  EXPECT "FAILED  . EveryMode/TwoPhaseRecoveryTest")
bellwether_add_mutant(
  ${recovery} NAME two_phase_undecided_lost_between_logs HEADER bellwether/store/recovery.h
  BEFORE "    position_ = reader.position();"
  AFTER "    position_ = reader.next_sequence();"
  EXPECT "FAILED  . EveryMode/TwoPhaseRecoveryTest")

# What an Open that went down left undone.
set(interrupted SOURCE recovery_test.cc LABELS negative LIBRARIES bellwether_store_fixture
    HEADER bellwether/store/recovery.h)
bellwether_add_mutant(
  ${interrupted} NAME empty_log_not_synced
  BEFORE "      if (status.ok()) status = Cut(log);"
  AFTER "      (void)log;"
  EXPECT "FAILED  . InterruptedRecoveryTest.TornFirstRecord")
bellwether_add_mutant(
  ${interrupted} NAME manifest_not_synced
  BEFORE "    Status status = file_system_->SyncDirectory(directory_);\n    for (; status"
  AFTER "    Status status;\n    for (; status"
  EXPECT "FAILED  . InterruptedRecoveryTest.ManifestWithoutADurableName")
