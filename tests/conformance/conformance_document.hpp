#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "node_test_case.hpp"

namespace lossmap::test {

/// Counts the results of one suite and writes its section of docs/conformance.md.
class ConformanceSection {
public:
    /// @param reason  why a test is known to fail; "" when it passed or nobody knows.
    void add(const std::filesystem::path& folder, const NodeTestResult& result, const std::string& reason);

    /// The section's text below its title: totals, tests of each folder, of each operator, what does not pass.
    [[nodiscard]] std::string text() const;
    /// One line with the totals.
    [[nodiscard]] std::string totals() const;

private:
    struct Count {
        int passed = 0;
        int total = 0;
        void add(bool pass);
        [[nodiscard]] std::string text() const;
    };
    Count listed_;
    Count plain_;
    int out_of_scope_ = 0;
    std::map<std::string, Count> folders_;
    std::map<std::string, Count> operators_;
    std::map<std::string, std::map<std::string, int>> failures_;  ///< by reason: tests of each operator
};

}  // namespace lossmap::test
