#include "cli/run/backends.hpp"

#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace lossmap {
namespace {

/// An environment variable for the length of a test.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* former = std::getenv(name); former != nullptr) former_ = former;
        value == nullptr ? unsetenv(name) : setenv(name, value, 1);
    }
    ~Variable() { former_ ? setenv(name_, former_->c_str(), 1) : unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
    std::optional<std::string> former_;
};

TEST(PlanCacheFolder, TheCommandLineThenTheEnvironmentThenTheUsersCache) {
    const Variable home("HOME", "/home/somebody");
    const Variable cache("XDG_CACHE_HOME", "/var/cache/somebody");
    {
        const Variable own("LOSSMAP_PLAN_CACHE", "/plans");
        EXPECT_EQ(plan_cache_folder("here"), "here");
        EXPECT_EQ(plan_cache_folder(""), "/plans");
        EXPECT_EQ(plan_cache_folder("off"), "");
    }
    const Variable own("LOSSMAP_PLAN_CACHE", nullptr);
    EXPECT_EQ(plan_cache_folder(""), "/var/cache/somebody/lossmap/plans");
    const Variable relative("XDG_CACHE_HOME", "relative");
    EXPECT_EQ(plan_cache_folder(""), "/home/somebody/.cache/lossmap/plans");
    const Variable nowhere("HOME", nullptr);
    EXPECT_EQ(plan_cache_folder(""), "");
    EXPECT_EQ(plan_cache_folder("here"), "here");
    const Variable off("LOSSMAP_PLAN_CACHE", "off");
    EXPECT_EQ(plan_cache_folder(""), "");
}

TEST(ChooseBackend, TheCpuNeedsNoPlanCache) {
    std::string explanation;
    const auto backend = choose_backend(
        "cpu", "/nowhere/plans", [](const std::string&) { FAIL(); }, explanation);
    EXPECT_EQ(backend->name(), "cpu");
}

}  // namespace
}  // namespace lossmap
