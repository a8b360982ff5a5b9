// A file system in memory that knows what a power failure takes away.
//
// Protocol: used as any FileSystem; then Crash(seed) cuts the power and switches it on again. What
// was synced is there. Of the rest, each crash keeps a part, drawn by its seed:
//   - of the bytes appended since the last sync of a file any pages of 4 KiB, or a part of one by
//     sectors, in any order; a lost page before the end reads as zeros, and the end itself may be
//     anywhere between the synced size and the last append;
//   - of the changes of a directory (create, remove, rename) since its last SyncDirectory any
//     subset, each change whole; Sync of a file makes no name durable.
// A failed sync takes what it did not write for clean, as Linux does: a later sync that succeeds
// does not bring it back, though it can still be read until the crash.
//
// Invariants: equal seeds and equal operations give equal disks; handles and locks from before a
// crash are dead (EIO), so that a store which outlives its machine cannot touch the new one.
// Thread safety: all functions may be called concurrently; a file as WritableFile says.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "stress/simulated_node.h"

namespace bellwether::stress {

enum class FileOperation : uint8_t {
  kCreate,
  kAppend,
  kSync,
  kSyncDirectory,
  kSyncFile,
  kTruncate,
  kRemove,
  kRename,
  kCreateDirectory,
  kLock,
  kRead,
};

// The nth operation of a kind, counted from the injection on, fails.
struct Fault {
  FileOperation operation = FileOperation::kAppend;
  uint64_t nth = 1;
  int error_number = EIO;
  bool sticky = false;     // every later one of the kind fails too
  size_t short_write = 0;  // bytes of a failing append that still land in the file
};

class SimulatedFileSystem final : public FileSystem {
 public:
  SimulatedFileSystem() : root_(std::make_shared<Node>(/*directory=*/true)) {}

  Loss Crash(uint64_t seed) {
    const std::lock_guard lock(mutex_);
    std::mt19937_64 random(seed);
    const Loss loss = random() % 2 == 0 ? Loss::kInOrder : Loss::kAnyOrder;
    root_->Crash(loss, &random);
    ++generation_;
    powered_off_ = false;
    power_off_at_ = kNever;
    faults_.clear();
    capacity_ = kNever;
    return loss;
  }

  // The process dies, and the machine goes on: handles and locks are dead, nothing is lost. If the
  // power had failed it was not that: the process died in that operation.
  void Kill() {
    const std::lock_guard lock(mutex_);
    ++generation_;
    powered_off_ = false;
    power_off_at_ = kNever;
    faults_.clear();
    capacity_ = kNever;
  }

  bool powered_off() const {
    const std::lock_guard lock(mutex_);
    return powered_off_;
  }

  // From the nth changing operation on, counted from now, every operation fails with EIO.
  void PowerOffAt(uint64_t nth) {
    const std::lock_guard lock(mutex_);
    power_off_at_ = operations_ + nth;
  }

  // Changing operations so far (everything but reads).
  uint64_t operations() const {
    const std::lock_guard lock(mutex_);
    return operations_;
  }

  void InjectFault(const Fault& fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(fault);
  }

  // Bytes that all files together may hold: an append that needs more is cut short, with ENOSPC.
  void SetCapacity(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
  }

  // Damage of the medium: the byte changes in the cache and on the disk.
  Status FlipBits(const std::string& path, uint64_t offset, uint8_t bits) {
    const std::lock_guard lock(mutex_);
    const NodePtr file = FindFile(path);
    if (file == nullptr || offset >= file->cached.size())
      return Error("flip", path, offset, EINVAL);
    const auto flip = [&](std::string* bytes) {
      if (offset < bytes->size()) {
        char& byte = (*bytes)[static_cast<size_t>(offset)];
        byte = static_cast<char>(static_cast<uint8_t>(byte) ^ bits);
      }
    };
    flip(&file->cached);
    flip(&file->durable);
    return Status::OK();
  }

  Status NewWritableFile(const std::string& path, std::unique_ptr<WritableFile>* file) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kCreate, "create", path);
    if (!status.ok()) return status;
    Place place;
    status = FindPlace("create", path, &place);
    if (!status.ok()) return status;
    if (place.directory->entries.contains(place.name)) return Error("create", path, 0, EEXIST);
    const NodePtr node = std::make_shared<Node>(/*directory=*/false);
    place.directory->Change({{place.name, node}});
    *file = std::make_unique<File>(this, path, node, generation_);
    return Status::OK();
  }

  Status NewPreallocatedFile(const std::string& path, uint64_t size,
                             std::unique_ptr<WritableFile>* file) override {
    std::unique_ptr<WritableFile> created;
    Status status = NewWritableFile(path, &created);
    if (!status.ok()) return status;
    File* const zeros = static_cast<File*>(created.get());
    status = Append(zeros, std::string(static_cast<size_t>(size), '\0'));
    if (status.ok()) {
      zeros->Rewind();
      *file = std::move(created);
    } else {
      (void)RemoveFile(path);
    }
    return status;
  }

  Status ReadFile(const std::string& path, std::string* contents) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kRead, "read", path);
    if (!status.ok()) return status;
    const NodePtr file = FindFile(path);
    if (file == nullptr) return Error("read", path, 0, ENOENT);
    *contents = file->cached;
    return Status::OK();
  }

  Status FileExists(const std::string& path, bool* exists) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kRead, "stat", path);
    if (status.ok()) *exists = Find(path) != nullptr;
    return status;
  }

  Status ListDirectory(const std::string& directory, std::vector<std::string>* names) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kRead, "open directory", directory);
    if (!status.ok()) return status;
    const NodePtr node = Find(directory);
    if (node == nullptr) return Error("open directory", directory, 0, ENOENT);
    if (!node->directory) return Error("open directory", directory, 0, ENOTDIR);
    names->clear();
    for (const auto& [name, entry] : node->entries) names->push_back(name);
    return Status::OK();
  }

  Status CreateDirectory(const std::string& directory) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kCreateDirectory, "create directory", directory);
    if (!status.ok()) return status;
    if (const NodePtr node = Find(directory)) {
      return node->directory ? Status::OK() : Error("create directory", directory, 0, EEXIST);
    }
    Place place;
    status = FindPlace("create directory", directory, &place);
    if (status.ok()) {
      place.directory->Change({{place.name, std::make_shared<Node>(/*directory=*/true)}});
    }
    return status;
  }

  Status SyncDirectory(const std::string& directory) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kSyncDirectory, "fsync of directory", directory);
    if (!status.ok()) return status;
    const NodePtr node = Find(directory);
    if (node == nullptr) return Error("fsync of directory", directory, 0, ENOENT);
    node->durable_entries = node->entries;
    node->unsynced.clear();
    return Status::OK();
  }

  Status SyncFile(const std::string& path) override {
    return SyncExisting(path, [](Node* file) {
      file->durable = file->cached;
      file->uncut = file->overwritten = Node::kWhole;
    });
  }

  // What SyncFile would be if it did not write the file again: fsync(2) alone.
  Status FsyncOnly(const std::string& path) {
    return SyncExisting(path, [](Node* file) { file->MakeDurable(); });
  }

  Status Truncate(const std::string& path, uint64_t size) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kTruncate, "truncate", path);
    if (!status.ok()) return status;
    const NodePtr file = FindFile(path);
    if (file == nullptr) return Error("truncate", path, size, ENOENT);
    file->cached.resize(static_cast<size_t>(size), '\0');
    file->uncut = std::min(file->uncut, static_cast<size_t>(size));
    return Status::OK();
  }

  Status RemoveFile(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kRemove, "remove", path);
    if (!status.ok()) return status;
    Place place;
    if (FindFile(path) == nullptr) return Error("remove", path, 0, ENOENT);
    status = FindPlace("remove", path, &place);
    if (status.ok()) place.directory->Change({{place.name, nullptr}});
    return status;
  }

  Status RenameFile(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kRename, "rename", from);
    if (!status.ok()) return status;
    const NodePtr file = FindFile(from);
    if (file == nullptr) return Error("rename", from, 0, ENOENT);
    Place old_place;
    Place new_place;
    status = FindPlace("rename", from, &old_place);
    if (status.ok()) status = FindPlace("rename", to, &new_place);
    if (!status.ok()) return status;
    if (old_place.directory != new_place.directory) return Error("rename", from, 0, EXDEV);
    old_place.directory->Change({{old_place.name, nullptr}, {new_place.name, file}});
    return Status::OK();
  }

  Status LockFile(const std::string& path, std::unique_ptr<FileLock>* lock_handle) override {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kLock, "open lock", path);
    if (!status.ok()) return status;
    Place place;
    status = FindPlace("open lock", path, &place);
    if (!status.ok()) return status;
    NodePtr node = FindFile(path);
    if (node == nullptr) {
      node = std::make_shared<Node>(/*directory=*/false);
      place.directory->Change({{place.name, node}});
    }
    if (node->locked_in == generation_) return Status::Busy("locked by another holder", path);
    node->locked_in = generation_;
    *lock_handle = std::make_unique<Lock>(this, node, generation_);
    return Status::OK();
  }

 private:
  using Node = SimulatedNode;
  using NodePtr = std::shared_ptr<Node>;

  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  class File final : public WritableFile {
   public:
    File(SimulatedFileSystem* file_system, std::string path, NodePtr node, uint64_t generation)
        : file_system_(file_system),
          path_(std::move(path)),
          node_(std::move(node)),
          generation_(generation) {}

    Status Append(std::string_view data) override { return file_system_->Append(this, data); }
    Status Sync() override { return file_system_->Sync(this); }
    Status Close() override {
      Status status = open_ && preallocated_ ? file_system_->CutZeros(this) : Status::OK();
      if (status.ok()) open_ = false;
      return status;
    }
    // What was appended so far are the zeros of a preallocated file.
    void Rewind() {
      preallocated_ = true;
      size_ = 0;
    }
    uint64_t size() const override { return size_; }
    const std::string& path() const override { return path_; }

   private:
    friend class SimulatedFileSystem;

    SimulatedFileSystem* const file_system_;
    const std::string path_;
    const NodePtr node_;
    const uint64_t generation_;
    uint64_t size_ = 0;
    bool open_ = true;
    bool preallocated_ = false;
  };

  class Lock final : public FileLock {
   public:
    Lock(SimulatedFileSystem* file_system, NodePtr node, uint64_t generation)
        : file_system_(file_system), node_(std::move(node)), generation_(generation) {}
    ~Lock() override {
      const std::lock_guard lock(file_system_->mutex_);
      if (node_->locked_in == generation_) node_->locked_in = Node::kUnlocked;
    }

   private:
    SimulatedFileSystem* const file_system_;
    const NodePtr node_;
    const uint64_t generation_;
  };

  struct Place {
    Node* directory = nullptr;
    std::string name;
  };

  static Status Error(std::string_view what, const std::string& path, uint64_t offset,
                      int error_number) {
    return Status::IOError(what, path, offset, error_number);
  }

  // Counts the operation; fails it if the power is off or a fault was injected.
  Status Begin(FileOperation operation, std::string_view what, const std::string& path,
               uint64_t offset = 0, Fault* hit = nullptr) {
    if (operation != FileOperation::kRead) {
      ++operations_;
      if (operations_ >= power_off_at_) powered_off_ = true;
    }
    if (powered_off_) return Error(what, path, offset, EIO);
    for (Fault& fault : faults_) {
      if (fault.operation != operation || fault.nth == 0 || --fault.nth > 0) continue;
      if (fault.sticky) fault.nth = 1;
      if (hit != nullptr) *hit = fault;
      return Error(what, path, offset, fault.error_number);
    }
    return Status::OK();
  }

  Status Append(File* file, std::string_view data) {
    const std::lock_guard lock(mutex_);
    if (file->generation_ != generation_ || !file->open_) {
      return Error("write", file->path_, file->size_, EIO);
    }
    Fault fault;
    Status status = Begin(FileOperation::kAppend, "write", file->path_, file->size_, &fault);
    if (!status.ok()) data = data.substr(0, fault.short_write);
    const uint64_t used = Used(*root_);
    Node& node = *file->node_;
    const uint64_t zeros_left = node.cached.size() - file->size_;
    const uint64_t room = zeros_left + (capacity_ > used ? capacity_ - used : 0);
    if (data.size() > room) {
      data = data.substr(0, static_cast<size_t>(room));
      status = Error("write", file->path_, file->size_ + room, ENOSPC);
    }
    if (file->size_ < node.durable.size() && !data.empty()) {
      node.overwritten = std::min(node.overwritten, static_cast<size_t>(file->size_));
    }
    node.cached.replace(static_cast<size_t>(file->size_), data.size(), data);
    file->size_ += data.size();
    return status;
  }

  Status CutZeros(File* file) {
    {
      const std::lock_guard lock(mutex_);
      if (file->generation_ != generation_) return Error("truncate", file->path_, 0, EIO);
    }
    Status status = Truncate(file->path_, file->size_);
    return status.ok() ? Sync(file) : status;
  }

  Status Sync(File* file) {
    const std::lock_guard lock(mutex_);
    if (file->generation_ != generation_ || !file->open_) {
      return Error("fdatasync", file->path_, file->size_, EIO);
    }
    Status status = Begin(FileOperation::kSync, "fdatasync", file->path_, file->size_);
    if (status.ok()) {
      file->node_->MakeDurable();
    } else if (!powered_off_) {
      // All of it is clean from now on, and none of it is on the disk.
      Node& node = *file->node_;
      node.durable.resize(node.cached.size(), '\0');
      node.overwritten = Node::kWhole;
    }
    return status;
  }

  template <class Effect>
  Status SyncExisting(const std::string& path, const Effect& effect) {
    const std::lock_guard lock(mutex_);
    Status status = Begin(FileOperation::kSyncFile, "fsync", path);
    const NodePtr file = FindFile(path);
    if (file == nullptr) return Error("fsync", path, 0, ENOENT);
    if (status.ok()) effect(file.get());
    return status;
  }

  static std::vector<std::string> Split(const std::string& path) {
    std::vector<std::string> parts;
    for (size_t begin = 0; begin < path.size();) {
      const size_t end = std::min(path.find('/', begin), path.size());
      const std::string part = path.substr(begin, end - begin);
      if (!part.empty() && part != ".") parts.push_back(part);
      begin = end + 1;
    }
    return parts;
  }

  NodePtr Find(const std::vector<std::string>& parts, size_t depth) const {
    NodePtr node = root_;
    for (size_t i = 0; i < depth; ++i) {
      const auto entry = node->entries.find(parts[i]);
      if (entry == node->entries.end()) return nullptr;
      node = entry->second;
    }
    return node;
  }

  NodePtr Find(const std::string& path) const {
    const std::vector<std::string> parts = Split(path);
    return Find(parts, parts.size());
  }

  NodePtr FindFile(const std::string& path) const {
    const NodePtr node = Find(path);
    return node != nullptr && !node->directory ? node : nullptr;
  }

  Status FindPlace(std::string_view what, const std::string& path, Place* place) const {
    const std::vector<std::string> parts = Split(path);
    if (parts.empty()) return Error(what, path, 0, EINVAL);
    const NodePtr parent = Find(parts, parts.size() - 1);
    if (parent == nullptr) return Error(what, path, 0, ENOENT);
    if (!parent->directory) return Error(what, path, 0, ENOTDIR);
    *place = {parent.get(), parts.back()};
    return Status::OK();
  }

  uint64_t Used(const Node& node) const {
    if (capacity_ == kNever) return 0;
    uint64_t bytes = node.cached.size();
    for (const auto& [name, entry] : node.entries) bytes += Used(*entry);
    return bytes;
  }

  mutable std::mutex mutex_;
  const NodePtr root_;
  uint64_t generation_ = 0;
  uint64_t operations_ = 0;
  uint64_t power_off_at_ = kNever;
  bool powered_off_ = false;
  uint64_t capacity_ = kNever;
  std::vector<Fault> faults_;
};

}  // namespace bellwether::stress
