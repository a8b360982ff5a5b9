// recovery_files.h: what the log files of spec/Recovery.tla hold: after a power loss, and when they
// are read.
//
// Thread safety: functions of their arguments.

#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "model/recovery_state.h"
#include "model/write_history.h"

namespace bellwether::model {

inline LogFile Settled(const Content& content) { return {content, content, {}}; }

// The records from number `from` (counted from 0) on, as a file holds them.
inline Content Whole(const Records& records, size_t from) {
  Content content;
  for (size_t i = from; i < records.size; i++) content.Append({records[i], Image::kWhole});
  return content;
}

// Nothing says that damaged pages at the end were ever written: the file may be shorter.
inline Content Trimmed(const Content& content) {
  size_t size = content.size;
  while (size > 0 && content[size - 1].image == Image::kDamaged) size--;
  return content.Prefix(size);
}

// Adds what a power loss may leave of `content`, of which the entries before i are on the disk.
inline void AddRemains(Content content, size_t i, std::vector<Content>* remains) {
  if (i >= content.size) {
    const Content trimmed = Trimmed(content);
    const bool known = std::find(remains->begin(), remains->end(), trimmed) != remains->end();
    if (!known) remains->push_back(trimmed);
    return;
  }
  for (Image image : {Image::kWhole, Image::kTorn, Image::kDamaged}) {
    if (image < content[i].image) continue;
    Content left = content;
    left.items[i].image = image;
    AddRemains(left, i + 1, remains);
  }
}

inline std::vector<Content> AfterPowerLoss(const LogFile& file) {
  std::vector<Content> remains;
  AddRemains(file.cache, file.disk.size, &remains);
  if (!file.uncut.empty()) AddRemains(file.uncut, file.disk.size, &remains);
  return remains;
}

// The same of all of them: the logs that recovery may find.
inline std::vector<Files> AllAfterPowerLoss(const Files& logs) {
  std::vector<Files> all(1);
  for (const LogFile& log : logs) {
    std::vector<Files> longer;
    for (const Content& content : AfterPowerLoss(log)) {
      for (Files files : all) {
        files.Append(Settled(content));
        longer.push_back(files);
      }
    }
    all = std::move(longer);
  }
  return all;
}

// An append that has failed, or that is under way, may have left its beginning.
inline bool HalfAppended(const Config& config, const State& s) {
  const bool appends = std::find(s.pc.begin(), s.pc.end(), Action::WriteToWAL) != s.pc.end();
  return appends || (config.wal_errors && Poisoned(s));
}

// The log of this life, without and with such a beginning.
inline std::vector<LogFile> CurrentLogs(const Config& config, const RecoveryState& s) {
  LogFile log;
  log.cache = Whole(s.path.log, s.base);
  if (s.log_named) log.disk = log.cache.Prefix(s.path.synced - s.base);
  std::vector<LogFile> logs = {log};
  if (HalfAppended(config, s.path)) {
    const auto next = static_cast<uint8_t>(s.path.allocated_sequence + 1);
    log.cache.Append({{next, {}}, Image::kTorn});
    logs.push_back(log);
  }
  return logs;
}

// What a crash may leave of the logs. Empty ones are as good as none, and one whose name is lost is
// lost.
inline std::vector<Files> AfterCrash(const Config& config, const RecoveryState& s) {
  std::vector<Files> all;
  const auto add = [&](const Files& logs, const Files& named) {
    if (config.process_crashes) all.push_back(logs);
    if (!config.power_losses) return;
    for (const Files& left : AllAfterPowerLoss(named)) all.push_back(left);
  };
  if (!s.open()) {
    add(s.files, s.files);
    return all;
  }
  for (const LogFile& current : CurrentLogs(config, s)) {
    Files logs = s.files;
    if (!current.cache.empty()) logs.Append(current);
    add(logs, s.log_named ? logs : s.files);
  }
  return all;
}

// What is read from logs: their records, and how these end.
struct Reading {
  Records records;
  size_t last = 0;       // in how many of the logs there are records
  size_t at = 0;         // how many entries of the last of these are yielded
  bool ended = false;    // before the end of a log
  bool corrupt = false;  // and a later record is there
};

// Does a record that is not yielded stand before a later one, or not continue the sequence?
inline bool EndsInCorruption(const Content& content, size_t i) {
  const auto begins = [](const Entry& entry) { return entry.image != Image::kDamaged; };
  return content[i].image == Image::kWhole ||
         std::any_of(content.begin() + i + 1, content.end(), begins);
}

// WalReader: goes on with the records of one log.
inline void ReadLog(const Config& config, const Content& content, Reading* reading) {
  reading->last++;
  reading->at = 0;
  for (const Entry& entry : content) {
    const bool continues = entry.record.first_sequence == 1 + LastOf(config, reading->records);
    if (entry.image != Image::kWhole || !continues) {
      reading->ended = true;
      reading->corrupt = EndsInCorruption(content, reading->at);
      return;
    }
    reading->records.Append(entry.record);
    reading->at++;
  }
}

// Recovery::ReadLogs: one after the other. A log behind a damaged end is corruption.
inline Reading ReadLogs(const Config& config, const Files& logs) {
  Reading reading;
  for (const LogFile& log : logs) {
    if (!reading.ended) {
      ReadLog(config, log.cache, &reading);
    } else if (!log.cache.empty()) {
      reading.corrupt = true;
    }
  }
  return reading;
}

}  // namespace bellwether::model
