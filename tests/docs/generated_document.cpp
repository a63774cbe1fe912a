#include "tests/docs/generated_document.hpp"

#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace lossmap::test {
namespace {

struct Section {
    std::size_t begin = std::string::npos;
    std::size_t end = std::string::npos;
};

Section find_section(const std::string& document, const std::string& title) {
    Section section;
    section.begin = document.find(fmt::format("## {}\n", title));
    if (section.begin == std::string::npos) return section;
    section.end = document.find("\n## ", section.begin + 1);
    section.end = section.end == std::string::npos ? document.size() : section.end + 1;
    return section;
}

}  // namespace

bool has_section(const std::string& document, const std::string& title) {
    return find_section(document, title).begin != std::string::npos;
}

std::string with_section(const std::string& document, const std::string& title, const std::string& body) {
    const std::string text = fmt::format("## {}\n{}", title, body);
    const Section section = find_section(document, title);
    if (section.begin == std::string::npos) return fmt::format("{}\n{}", document, text);
    const bool last = section.end == document.size();
    return fmt::format("{}{}{}{}", document.substr(0, section.begin), text, last ? "" : "\n",
                       document.substr(section.end));
}

std::string read_document(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

bool settle_document(const std::filesystem::path& file, const std::string& wanted, bool update) {
    const std::string present = read_document(file);
    if (present == wanted) return true;
    if (update) {
        std::ofstream stream(file, std::ios::binary);
        stream << wanted;
        return stream.flush().good();
    }
    std::istringstream a(present), b(wanted);
    std::string old_line, new_line;
    int number = 0;
    do {
        ++number;
        if (!std::getline(a, old_line)) old_line = "(end)";
        if (!std::getline(b, new_line)) new_line = "(end)";
    } while (old_line == new_line && old_line != "(end)");
    fmt::print("{} is out of date; build the target 'docs'. Line {} is\n  {}\nand should be\n  {}\n", file.string(),
               number, old_line, new_line);
    return false;
}

}  // namespace lossmap::test
