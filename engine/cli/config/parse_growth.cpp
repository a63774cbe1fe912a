#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostInitial = 100'000;

}  // namespace

RefineSpec parse_refine(const JsonReader& reader) {
    reader.require_section("refine", "an object with 'initial' and 'tolerance'");
    RefineSpec refine;
    if (const auto initial = reader.find("initial")) refine.initial = initial->integer(2, kMostInitial);
    if (const auto tolerance = reader.find("tolerance")) {
        constexpr std::string_view kExpected = "a number from 0 to 1";
        refine.tolerance = tolerance->number(kExpected);
        if (refine.tolerance < 0.0 || refine.tolerance > 1.0) tolerance->mismatch(kExpected);
    }
    return refine;
}

std::optional<std::filesystem::path> parse_grow(const JsonReader& root) {
    const auto grow = root.find("grow");
    const auto from = root.find("from");
    const bool grows = grow && grow->boolean();
    if (from && !grows) from->fail("is used with \"grow\": true only");
    if (!grows) return std::nullopt;
    return root.member("from", "the folder of an earlier run or a surface .h5, which 'grow' takes points from").path();
}

}  // namespace lossmap
