// Runs folders of the ONNX backend test suite:
//   run_node_tests [--expected FILE] [--rtol R] [--atol A] [--verbose] FOLDER..
// FILE lists tests that are known to fail, "name: reason" a line; one that passes is an error, so that the list stays
// true. Exit status: 0 all as expected, 1 otherwise, 77 (skipped) when no folder exists.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "node_test_case.hpp"

namespace {

namespace fs = std::filesystem;
using lossmap::test::NodeTestResult;

constexpr int kSkipped = 77;

std::map<std::string, std::string> read_expected(const fs::path& file) {
    std::map<std::string, std::string> expected;
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) {
        const std::size_t colon = line.find(": ");
        if (line.empty() || line[0] == '#' || colon == std::string::npos) continue;
        expected[line.substr(0, colon)] = line.substr(colon + 2);
    }
    return expected;
}

struct Totals {
    int passed = 0;
    int total = 0;
    void add(bool pass) {
        ++total;
        passed += pass ? 1 : 0;
    }
    [[nodiscard]] std::string text() const {
        return fmt::format("{} of {} ({:.1f} %)", passed, total, total > 0 ? 100.0 * passed / total : 100.0);
    }
};

std::vector<fs::path> test_folders(const std::vector<fs::path>& roots) {
    std::vector<fs::path> folders;
    for (const fs::path& root : roots) {
        if (!fs::exists(root)) continue;
        for (const auto& entry : fs::directory_iterator(root)) {
            if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
        }
    }
    std::ranges::sort(folders);
    return folders;
}

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> expected;
    std::vector<fs::path> roots;
    bool verbose = false;
    double rtol = 1e-3, atol = 1e-7;  // defaults of the ONNX backend test runner
    for (int k = 1; k < argc; ++k) {
        const std::string argument = argv[k];
        if (argument == "--verbose")
            verbose = true;
        else if (argument == "--expected" && k + 1 < argc)
            expected = read_expected(argv[++k]);
        else if (argument == "--rtol" && k + 1 < argc)
            rtol = std::stod(argv[++k]);
        else if (argument == "--atol" && k + 1 < argc)
            atol = std::stod(argv[++k]);
        else
            roots.emplace_back(argument);
    }
    const std::vector<fs::path> folders = test_folders(roots);
    if (folders.empty()) {
        fmt::print(
            "skipped: no folder of ONNX backend tests is there (install libonnx-testdata or the Python package "
            "onnx)\n");
        return kSkipped;
    }
    Totals listed, plain;
    int unexpected = 0, out_of_scope = 0;
    for (const fs::path& folder : folders) {
        const std::string name = folder.filename().string();
        const NodeTestResult result = lossmap::test::run_node_test(folder, rtol, atol);
        const bool passed = result.outcome == NodeTestResult::Outcome::passed;
        if (!result.in_scope) {
            ++out_of_scope;
            if (verbose) fmt::print("OTHER {}: {}\n", name, result.message);
            continue;
        }
        listed.add(passed);
        if (result.plain_types) plain.add(passed);
        const bool known = expected.contains(name);
        const char* label = passed                                              ? "PASS"
                            : result.outcome == NodeTestResult::Outcome::failed ? "FAIL"
                                                                                : "UNSUPPORTED";
        if (passed == known) {
            ++unexpected;
            fmt::print("{} {}: {}\n", label, name,
                       passed ? "passes, but is listed as an expected failure" : result.message);
        } else if (verbose) {
            fmt::print("{} {}: {}\n", label, name, known ? expected.at(name) : result.message);
        }
    }
    fmt::print(
        "operators of the table: {} tests pass; float, int32, int64 and bool only: {}; other operators or element "
        "types: {} tests\n",
        listed.text(), plain.text(), out_of_scope);
    return unexpected == 0 ? 0 : 1;
}
