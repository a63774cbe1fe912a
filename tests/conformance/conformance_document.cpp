#include "conformance_document.hpp"

#include <fmt/format.h>

namespace lossmap::test {

void ConformanceSection::Count::add(bool pass) {
    ++total;
    passed += pass ? 1 : 0;
}

std::string ConformanceSection::Count::text() const {
    return fmt::format("{} of {} ({:.1f} %)", passed, total, total > 0 ? 100.0 * passed / total : 100.0);
}

void ConformanceSection::add(const std::filesystem::path& folder, const NodeTestResult& result,
                             const std::string& reason) {
    if (!result.in_scope) {
        ++out_of_scope_;
        return;
    }
    const bool passed = result.outcome == NodeTestResult::Outcome::passed;
    const std::string name = result.op_type.empty() ? "several operators" : result.op_type;
    listed_.add(passed);
    if (result.plain_types) plain_.add(passed);
    folders_[folder.parent_path().filename().string()].add(passed);
    operators_[name].add(passed);
    if (!passed) ++failures_[reason.empty() ? "not explained" : reason][name];
}

std::string ConformanceSection::totals() const {
    return fmt::format(
        "operators of the table: {} tests pass; float, int32, int64 and bool only: {}; other operators or element "
        "types: {} tests",
        listed_.text(), plain_.text(), out_of_scope_);
}

std::string ConformanceSection::text() const {
    std::string text = fmt::format(
        "Of the tests whose operators all stand in the table {} pass; of those with float, int32, int64 and bool alone "
        "{}.\n{} more need other operators or element types.\n",
        listed_.text(), plain_.text(), out_of_scope_);
    if (folders_.size() > 1) {
        text += "\n| suite | pass |\n|---|---|\n";
        for (const auto& [name, count] : folders_)
            text += fmt::format("| {} | {} |\n", name, count.text());
    }
    text += "\n| does not pass because | tests |\n|---|---|\n";
    for (const auto& [reason, tests] : failures_) {
        std::string list;
        for (const auto& [name, count] : tests)
            list += fmt::format("{}{} {}", list.empty() ? "" : ", ", name, count);
        text += fmt::format("| {} | {} |\n", reason, list);
    }
    text += "\n| operator | pass | of |\n|---|---|---|\n";
    for (const auto& [name, count] : operators_)
        text += fmt::format("| {} | {} | {} |\n", name, count.passed, count.total);
    return text;
}

}  // namespace lossmap::test
