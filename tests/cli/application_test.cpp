#include "cli/application.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using ::testing::HasSubstr;

struct Outcome {
    int status = 0;
    std::string out;
    std::string err;
};

Outcome run(std::vector<std::string> arguments) {
    std::vector<const char*> argv{"lossmap"};
    for (const std::string& argument : arguments)
        argv.push_back(argument.c_str());
    std::ostringstream out;
    ::testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.status = run_application(static_cast<int>(argv.size()), argv.data(), out);
    outcome.err = ::testing::internal::GetCapturedStderr();
    outcome.out = out.str();
    return outcome;
}

TEST(Application, HelpAndVersionAreResults) {
    const Outcome version = run({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_THAT(version.out, HasSubstr("lossmap 0."));
    const Outcome help = run({"--help"});
    EXPECT_EQ(help.status, 0);
    for (const char* command :
         {"run", "validate", "inspect", "plot", "report", "export", "merge", "bench", "compare", "devices"})
        EXPECT_THAT(help.out, HasSubstr(command));
    for (const char* command :
         {"run", "validate", "inspect", "plot", "report", "export", "merge", "bench", "compare", "devices"}) {
        const Outcome one = run({command, "--help"});
        EXPECT_EQ(one.status, 0) << command;
        EXPECT_THAT(one.out, HasSubstr("Example")) << command;
        EXPECT_EQ(one.err, "") << command;
    }
}

TEST(Application, WrongUsageIsStatusTwoAndOneLine) {
    const std::vector<std::vector<std::string>> cases = {{},
                                                         {"rnu", "a.json"},
                                                         {"run"},
                                                         {"run", "a.json", "--unknown"},
                                                         {"run", "a.json", "--threads", "many"},
                                                         {"run", "a.json", "--progress", "loud"},
                                                         {"run", "a.json", "--fresh", "--resume"},
                                                         {"run", "a.json", "--shard"},
                                                         {"run", "a.json", "--shard", "1/2", "--profile"},
                                                         {"run", "a.json", "--shard", "1/2", "--check-against", "cpu"},
                                                         {"run", "/does/not/exist.json"},
                                                         {"inspect", "/does/not/exist.onnx"},
                                                         {"plot", "/does/not/exist"},
                                                         {"report", "/does/not/exist"},
                                                         {"export", "/does/not/exist", "--format", "csv"},
                                                         {"export", "x"},
                                                         {"merge", "x"},
                                                         {"merge", "--out", "y"},
                                                         {"merge", "/does/not/exist", "--out", "/does/not/exist"}};
    for (const auto& arguments : cases) {
        const Outcome outcome = run(arguments);
        const std::string name = ::testing::PrintToString(arguments);
        EXPECT_EQ(outcome.status, 2) << name;
        EXPECT_EQ(outcome.out, "") << name;
        EXPECT_TRUE(outcome.err.starts_with("lossmap: error: ")) << name << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << name << outcome.err;
    }
    EXPECT_THAT(run({"rnu"}).err, HasSubstr("did you mean 'run'?"));
}

TEST(Application, DevicesSaysWhatIsThereAndWhatIsMissing) {
    const Outcome outcome = run({"devices"});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("cpu:"));
    EXPECT_THAT(outcome.out, HasSubstr("oneDNN"));
    EXPECT_THAT(outcome.out, HasSubstr("cuda: "));
}

}  // namespace
}  // namespace lossmap
