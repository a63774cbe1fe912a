#include "output/colour_map.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace lossmap {

namespace {

constexpr std::array<Colour, 10> kViridis{0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e,
                                          0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725};

double channel(Colour colour, int shift) { return static_cast<double>((colour >> shift) & 0xffU); }

}  // namespace

Colour viridis(double share) {
    const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(kViridis.size() - 1);
    const std::size_t index = std::min(static_cast<std::size_t>(place), kViridis.size() - 2);
    const double weight = place - static_cast<double>(index);
    Colour colour = 0;
    for (const int shift : {16, 8, 0}) {
        const double mixed =
            (1.0 - weight) * channel(kViridis[index], shift) + weight * channel(kViridis[index + 1], shift);
        colour |= static_cast<Colour>(std::lround(mixed)) << shift;
    }
    return colour;
}

std::string hex(Colour colour) { return fmt::format("#{:06x}", colour); }

double luminance(Colour colour) {
    const auto linear = [&](int shift) {
        const double value = channel(colour, shift) / 255.0;
        return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0);
}

}  // namespace lossmap
