#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "core/host_device.hpp"
#include "core/philox.hpp"

namespace lossmap {

/// Gaussian numbers as host and device compute them, bit by bit: +, -, *, / and sqrt in fp64 alone, each rounded by
/// itself (compile without contraction). philox.hpp documents them.
namespace gaussian_detail {

/// Natural logarithm of a normal positive number from the four operations alone: x = 2^k m with m in [sqrt(1/2),
/// sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)). libm's logarithm differs in the last bit between platforms.
LOSSMAP_HD inline double portable_log(double x) {
    constexpr double kLn2 = 0.693147180559945309417232121458;
    const auto bits = std::bit_cast<std::uint64_t>(x);
    int exponent = static_cast<int>((bits >> 52) & 0x7ffu) - 1023;
    auto mantissa = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    if (mantissa > 1.4142135623730951) {
        mantissa *= 0.5;
        ++exponent;
    }
    const double z = (mantissa - 1.0) / (mantissa + 1.0);
    const double z2 = z * z;
    double series = 0.0;
    for (int denominator = 27; denominator >= 1; denominator -= 2)
        series = series * z2 + 1.0 / denominator;
    return exponent * kLn2 + 2.0 * z * series;
}

/// c0 + c1 x + .. + c7 x^7, from the highest power down.
LOSSMAP_HD inline double polynomial(double x, double c0, double c1, double c2, double c3, double c4, double c5,
                                    double c6, double c7) {
    double value = c7 * x + c6;
    value = value * x + c5;
    value = value * x + c4;
    value = value * x + c3;
    value = value * x + c2;
    value = value * x + c1;
    return value * x + c0;
}

// Wichura 1988, table of PPND16: numerator over denominator for the centre, the near and the far tail.
LOSSMAP_HD inline double centre_value(double q, double r) {
    return q *
           polynomial(r, 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                      1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                      3.3430575583588128105e+4, 2.5090809287301226727e+3) /
           polynomial(r, 1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                      2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                      5.2264952788528545610e+3);
}
LOSSMAP_HD inline double near_tail(double r) {
    return -polynomial(r, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                       3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                       2.27238449892691845833e-2, 7.74545014278341407640e-4) /
           polynomial(r, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                      1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                      1.05075007164441684324e-9);
}
LOSSMAP_HD inline double far_tail(double r) {
    return -polynomial(r, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                       2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                       2.71155556874348757815e-5, 2.01033439929228813265e-7) /
           polynomial(r, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                      7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                      2.04426310338993978564e-15);
}

}  // namespace gaussian_detail

/// normal_quantile of philox.hpp.
LOSSMAP_HD inline double normal_quantile_of(std::uint64_t bits) {
    constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
    // The upper half mirrors the lower one: the smaller tail probability is exact, and the median pair sums to zero.
    const bool upper = bits >= (std::uint64_t{1} << 52);
    const std::uint64_t tail_bits = upper ? (std::uint64_t{1} << 53) - 1 - bits : bits;
    const double tail = (static_cast<double>(tail_bits) + 0.5) * kUnit;
    const double q = tail - 0.5;
    double value = 0.0;
    if (q >= -0.425) {
        value = gaussian_detail::centre_value(q, 0.180625 - q * q);
    } else {
        const double r = std::sqrt(-gaussian_detail::portable_log(tail));
        value = r <= 5.0 ? gaussian_detail::near_tail(r - 1.6) : gaussian_detail::far_tail(r - 5.0);
    }
    return upper ? -value : value;
}

/// gaussian of philox.hpp.
LOSSMAP_HD inline float gaussian_element(std::uint64_t seed, std::uint32_t axis, std::uint64_t parameter_hash,
                                         std::uint64_t element) {
    const std::uint64_t block = element / 2;
    const std::array<std::uint32_t, 4> words =
        philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32) | (axis << 24),
                    static_cast<std::uint32_t>(parameter_hash), static_cast<std::uint32_t>(parameter_hash >> 32)},
                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    const std::uint32_t low = element % 2 == 0 ? words[0] : words[2];
    const std::uint32_t high = element % 2 == 0 ? words[1] : words[3];
    const std::uint64_t bits = (static_cast<std::uint64_t>(high) << 32) | low;
    return static_cast<float>(normal_quantile_of(bits >> 11));
}

}  // namespace lossmap
