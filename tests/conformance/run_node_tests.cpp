// Runs folders of the ONNX backend test suite:
//   run_node_tests [--expected FILE] [--document FILE --suite NAME [--update]] [--rtol R] [--atol A] [--verbose]
//   FOLDER..
// FILE lists tests that are known to fail, "name: reason" a line; one that passes is an error, so that the list stays
// true. The document is docs/conformance.md: its section NAME is compared with the results, or with --update written.
// Exit status: 0 all as expected, 1 otherwise, 77 (skipped) when no folder exists.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "conformance_document.hpp"
#include "node_test_case.hpp"
#include "tests/docs/generated_document.hpp"

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

struct Arguments {
    std::map<std::string, std::string> expected;
    std::vector<fs::path> roots;
    fs::path document;
    std::string suite;
    bool update = false;
    bool verbose = false;
    double rtol = 1e-3, atol = 1e-7;  // defaults of the ONNX backend test runner
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int k = 1; k < argc; ++k) {
        const std::string argument = argv[k];
        const bool has_value = k + 1 < argc;
        if (argument == "--verbose")
            arguments.verbose = true;
        else if (argument == "--update")
            arguments.update = true;
        else if (argument == "--expected" && has_value)
            arguments.expected = read_expected(argv[++k]);
        else if (argument == "--document" && has_value)
            arguments.document = argv[++k];
        else if (argument == "--suite" && has_value)
            arguments.suite = argv[++k];
        else if (argument == "--rtol" && has_value)
            arguments.rtol = std::stod(argv[++k]);
        else if (argument == "--atol" && has_value)
            arguments.atol = std::stod(argv[++k]);
        else
            arguments.roots.emplace_back(argument);
    }
    return arguments;
}

const char* label_of(const NodeTestResult& result) {
    switch (result.outcome) {
        case NodeTestResult::Outcome::passed: return "PASS";
        case NodeTestResult::Outcome::failed: return "FAIL";
        case NodeTestResult::Outcome::unsupported: return "UNSUPPORTED";
    }
    return "?";
}

/// Runs one test; false when its result is not the expected one.
bool run_test(const fs::path& folder, const Arguments& arguments, lossmap::test::ConformanceSection& section) {
    const std::string name = folder.filename().string();
    const NodeTestResult result = lossmap::test::run_node_test(folder, arguments.rtol, arguments.atol);
    const bool passed = result.outcome == NodeTestResult::Outcome::passed;
    const auto known = arguments.expected.find(name);
    const bool listed = known != arguments.expected.end();
    section.add(folder, result, listed ? known->second : "");
    if (!result.in_scope) {
        if (arguments.verbose) fmt::print("OTHER {}: {}\n", name, result.message);
        return true;
    }
    if (passed == listed) {
        fmt::print("{} {}: {}\n", label_of(result), name,
                   passed ? "passes, but is listed as an expected failure" : result.message);
        return false;
    }
    if (arguments.verbose) fmt::print("{} {}: {}\n", label_of(result), name, listed ? known->second : result.message);
    return true;
}

/// The suite's name and the release that its folder states, if it does.
std::string suite_title(const Arguments& arguments) {
    std::ifstream stream(arguments.roots.front() / "version.txt");
    std::string version;
    return std::getline(stream, version) ? arguments.suite + " " + version : arguments.suite;
}

bool settle_section(const Arguments& arguments, const lossmap::test::ConformanceSection& section) {
    if (arguments.document.empty()) return true;
    const std::string document = lossmap::test::read_document(arguments.document);
    const std::string title = suite_title(arguments);
    if (!arguments.update && !lossmap::test::has_section(document, title)) {
        fmt::print("{} has no section '{}': it was written for another release; not compared\n",
                   arguments.document.string(), title);
        return true;
    }
    return lossmap::test::settle_document(
        arguments.document, lossmap::test::with_section(document, title, section.text()), arguments.update);
}

}  // namespace

int main(int argc, char** argv) {
    const Arguments arguments = parse(argc, argv);
    const std::vector<fs::path> folders = test_folders(arguments.roots);
    if (folders.empty()) {
        fmt::print(
            "skipped: no folder of ONNX backend tests is there (install libonnx-testdata or the Python package "
            "onnx)\n");
        return kSkipped;
    }
    lossmap::test::ConformanceSection section;
    bool as_expected = true;
    for (const fs::path& folder : folders)
        as_expected = run_test(folder, arguments, section) && as_expected;
    fmt::print("{}\n", section.totals());
    return settle_section(arguments, section) && as_expected ? 0 : 1;
}
