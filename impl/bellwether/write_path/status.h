// The outcome of an operation. OK costs a null pointer; a failure shares one immutable detail: what
// happened, where (file, offset), errno, and what to do.
//
// A caller tells two failures of a write apart (design, INV_STATUS):
//   kAborted         refused: nothing of the write was logged, and nothing of it will ever be seen
//   kUnknownOutcome  the log may hold the write; recovery at the next open decides
//
// Thread safety: a Status object as any value; the shared detail never changes.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace bellwether {

class [[nodiscard]] Status {
 public:
  enum class Code : std::uint8_t {
    kOk,
    kNotFound,
    kCorruption,
    kInvalidArgument,
    kIOError,
    kIncomplete,
    kBusy,
    kAborted,
    kUnknownOutcome,
    kOutOfMemory,
  };

  // Where a failure happened; `file` is empty and `error_number` is 0 if they do not apply.
  struct Place {
    std::string_view file = {};
    std::uint64_t offset = 0;
    int error_number = 0;
  };

  Status() = default;

  static Status OK() { return Status(); }
  static Status NotFound(std::string_view what) { return Make(Code::kNotFound, what, {}); }
  static Status InvalidArgument(std::string_view what) {
    return Make(Code::kInvalidArgument, what, {});
  }
  static Status Incomplete(std::string_view what) { return Make(Code::kIncomplete, what, {}); }
  static Status Aborted(std::string_view what) { return Make(Code::kAborted, what, {}); }
  static Status OutOfMemory(std::string_view what) { return Make(Code::kOutOfMemory, what, {}); }
  static Status Busy(std::string_view what, std::string_view file) {
    return Make(Code::kBusy, what, Place{file, 0, 0});
  }
  static Status Corruption(std::string_view what, std::string_view file, std::uint64_t offset) {
    return Make(Code::kCorruption, what, Place{file, offset, 0});
  }
  static Status IOError(std::string_view what, std::string_view file, std::uint64_t offset,
                        int error_number) {
    return Make(Code::kIOError, what, Place{file, offset, error_number});
  }

  // The same failure under another code: what an error of the log means to the writer that met it.
  // REQUIRES: !ok() and code != kOk.
  Status With(Code code) const {
    Status status = *this;
    status.code_ = code;
    return status;
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  bool IsNotFound() const { return code_ == Code::kNotFound; }

  std::string_view what() const { return detail_ ? std::string_view(detail_->what) : ""; }
  std::string_view file() const { return detail_ ? std::string_view(detail_->file) : ""; }
  std::uint64_t offset() const { return detail_ ? detail_->offset : 0; }
  int error_number() const { return detail_ ? detail_->error_number : 0; }

  // One line: "IO error: 000003.log, offset 4711: append failed: No space left on device (errno
  // 28)".
  std::string ToString() const {
    std::string text(CodeName(code_));
    if (!detail_) return text;
    if (!detail_->file.empty()) {
      text.append(": ").append(detail_->file).append(", offset ");
      text.append(std::to_string(detail_->offset));
    }
    if (!detail_->what.empty()) text.append(": ").append(detail_->what);
    if (detail_->error_number != 0) {
      text.append(": ").append(std::strerror(detail_->error_number)).append(" (errno ");
      text.append(std::to_string(detail_->error_number)).append(")");
    }
    return text;
  }

  static std::string_view CodeName(Code code) {
    switch (code) {
      case Code::kOk:
        return "OK";
      case Code::kNotFound:
        return "Not found";
      case Code::kCorruption:
        return "Corruption";
      case Code::kInvalidArgument:
        return "Invalid argument";
      case Code::kIOError:
        return "IO error";
      case Code::kIncomplete:
        return "Incomplete";
      case Code::kBusy:
        return "Busy";
      case Code::kAborted:
        return "Refused, not logged";
      case Code::kUnknownOutcome:
        return "Outcome unknown until reopen";
      case Code::kOutOfMemory:
        return "Out of memory";
    }
    return "unknown code";
  }

 private:
  struct Detail {
    std::string what;
    std::string file;
    std::uint64_t offset = 0;
    int error_number = 0;
  };

  // Without memory for the detail the code alone must do: no exception leaves the library.
  static Status Make(Code code, std::string_view what, const Place& place) {
    Status status;
    status.code_ = code;
    try {
      status.detail_ = std::make_shared<const Detail>(
          Detail{std::string(what), std::string(place.file), place.offset, place.error_number});
    } catch (const std::bad_alloc&) {
      status.detail_ = nullptr;
    }
    return status;
  }

  Code code_ = Code::kOk;
  std::shared_ptr<const Detail> detail_;
};

}  // namespace bellwether
