#include "bellwether/write_path/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace bellwether {
namespace {

TEST(Status, OkCarriesNothing) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_EQ(status.file(), "");
  EXPECT_EQ(status.error_number(), 0);
}

TEST(Status, AnErrorSaysWhatWhereAndErrno) {
  const Status status = Status::IOError("append failed", "000003.log", 4711, ENOSPC);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.file(), "000003.log");
  EXPECT_EQ(status.offset(), 4711u);
  EXPECT_EQ(status.error_number(), ENOSPC);
  EXPECT_EQ(status.ToString(),
            "IO error: 000003.log, offset 4711: append failed: No space left on device (errno 28)");
}

TEST(Status, AnotherCodeKeepsTheDetail) {
  const Status error = Status::IOError("sync failed", "000003.log", 17, EIO);
  const Status unknown = error.With(Status::Code::kUnknownOutcome);
  EXPECT_EQ(unknown.code(), Status::Code::kUnknownOutcome);
  EXPECT_EQ(unknown.file(), "000003.log");
  EXPECT_EQ(unknown.error_number(), EIO);
  EXPECT_EQ(error.code(), Status::Code::kIOError);
}

TEST(Status, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Status::Code::kOutOfMemory); ++code) {
    names.insert(Status::CodeName(static_cast<Status::Code>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Status::Code::kOutOfMemory) + 1);
  EXPECT_FALSE(names.contains("unknown code"));
}

}  // namespace
}  // namespace bellwether
