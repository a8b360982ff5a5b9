// A store's directory: how Open makes it, how a log is begun in it, and what to do about its
// errors.
//
// Invariant: INV_ACK's first half: the directory, and a log that is begun, are durable with their
// names before anything is acknowledged in them. Thread safety: whoever holds the directory's lock,
// one thread at a time; PrepareDirectory comes before the lock.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bellwether/storage/file_system.h"
#include "bellwether/store/store_files.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// May throw bad_alloc, as all below.
inline std::string ParentOf(const std::string& directory) {
  const size_t end = directory.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : directory.find_last_of('/', end);
  if (slash == std::string::npos) return directory.front() == '/' ? "/" : ".";
  return slash == 0 ? "/" : directory.substr(0, slash);
}

// Creates the directory, durably, if need be. Touches nothing in one that is not a store's.
inline Status PrepareDirectory(FileSystem* file_system, const std::string& directory,
                               bool create_if_missing) {
  bool exists = false;
  StoreFiles files;
  Status status = file_system->FileExists(directory, &exists);
  if (status.ok() && exists) status = ListFiles(file_system, directory, &files);
  if (!status.ok() || !files.empty()) return status;
  if (!create_if_missing) {
    return Status::InvalidArgument("no store in " + directory +
                                   "; name another directory, or open with create_if_missing");
  }
  status = file_system->CreateDirectory(directory);
  // Also if it existed: whoever created it may have died before this.
  if (status.ok()) status = file_system->SyncDirectory(ParentOf(directory));
  return status;
}

// Nothing is acknowledged before the file and its name are durable.
inline Status BeginLog(FileSystem* file_system, const std::string& directory, uint64_t number,
                       uint64_t preallocated, std::unique_ptr<WritableFile>* log) {
  const std::string path = directory + "/" + LogName(number);
  Status status = preallocated == 0 ? file_system->NewWritableFile(path, log)
                                    : file_system->NewPreallocatedFile(path, preallocated, log);
  if (status.ok()) status = (*log)->Sync();
  if (status.ok()) status = file_system->SyncDirectory(directory);
  return status;
}

// Adds what to do to an error of the file system.
inline Status WithAdvice(const Status& status) {
  if (status.code() != Status::Code::kIOError) return status;
  const char* advice = "nothing acknowledged is lost; check the disk, then try again";
  switch (status.error_number()) {
    case ENOSPC:
    case EDQUOT:
      advice = "nothing acknowledged is lost; free space, then try again";
      break;
    case EROFS:
    case EACCES:
    case EPERM:
      advice = "make the directory and its files writable for this process";
      break;
    case ENOENT:
      advice = "create the parent directory first";
      break;
    case ENOTDIR:
      advice = "name a directory, not a file";
      break;
    default:
      break;
  }
  return Status::IOError(std::string(status.what()) + " (" + advice + ")", status.file(),
                         status.offset(), status.error_number());
}

}  // namespace bellwether
