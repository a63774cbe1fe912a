#include <algorithm>

#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

/// What the header promises, as plain loops: chunks of 512 elements, eight lanes in a chunk.
std::vector<double> gram_of(const Tensor& rows, std::vector<double> gram) {
    const auto count = static_cast<std::size_t>(rows.shape()[0]);
    const auto stride = static_cast<std::size_t>(rows.shape()[1]);
    const auto length = stride - 3;
    const auto values = rows.as<float>();
    for (std::size_t first = 0; first < length; first += 512) {
        for (std::size_t r = 0; r < count; ++r) {
            for (std::size_t c = 0; c <= r; ++c) {
                double lanes[8] = {};
                for (std::size_t i = first; i < std::min(first + 512, length); ++i)
                    lanes[i % 8] +=
                        static_cast<double>(values[r * stride + i]) * static_cast<double>(values[c * stride + i]);
                double sum = 0.0;
                for (const double lane : lanes)
                    sum += lane;
                gram[r * count + c] += sum;
            }
        }
    }
    return gram;
}

/// The lower triangle as a tensor; the matrix was not zero before.
KernelCase gram_case(std::int64_t count, std::int64_t length, bool specials) {
    // Rows are longer than what is multiplied.
    auto drawn = random_floats({count, length + 3}, 71);
    const auto rows = std::make_shared<Tensor>(specials ? with_specials(std::move(drawn)) : std::move(drawn));
    const auto lower = [count](const std::vector<double>& gram) {
        Tensor result(DType::f64, {count * (count + 1) / 2});
        std::size_t at = 0;
        for (std::int64_t r = 0; r < count; ++r) {
            for (std::int64_t c = 0; c <= r; ++c)
                result.as<double>()[at++] = gram[static_cast<std::size_t>(r * count + c)];
        }
        return result;
    };
    const std::vector<double> before(static_cast<std::size_t>(count * count), 0.25);
    return {"gram_parts", fmt::format("{}x{}{}", count, length, specials ? "_specials" : ""),
            [=](Device& device) {
                GramPartsArgs parts;
                parts.rows = static_cast<const float*>(device.input(*rows).data);
                parts.row_stride = length + 3;
                parts.count = count;
                parts.length = length;
                parts.parts = device.room<double>(static_cast<std::size_t>(parts.chunks() * count * count));
                GramSumsArgs sums{parts.parts, parts.chunks(), count, device.put(before)};
                device.table().gram_parts(parts, device.queue());
                device.table().gram_sums(sums, device.queue());
                return list_of(lower(device.get(sums.gram, before.size())));
            },
            [=] { return list_of(lower(gram_of(*rows, before))); }, 0.0};
}

/// An order of summation that shows: 1e16 swallows what comes behind it one by one.
KernelCase gram_sums_case() {
    return {"gram_sums", "chunk_order",
            [](Device& device) {
                const std::vector<double> parts{1.0, -1.0, 2.0, 3.0, 1e16, -1.0, 1.0, 0.5, -1e16, -1.0, 1.0, 0.25};
                GramSumsArgs sums{device.put(parts), 3, 2, device.put(std::vector<double>{1.0, 7.0, 2.0, 4.0})};
                device.table().gram_sums(sums, device.queue());
                Tensor result(DType::f64, {4});
                std::ranges::copy(device.get(sums.gram, 4), result.as<double>().begin());
                return list_of(std::move(result));
            },
            [] {
                Tensor expected(DType::f64, {4});
                // Above the diagonal nothing changes.
                std::ranges::copy(std::vector<double>{1.0 + 1.0 + 1e16 - 1e16, 7.0, 6.0, 7.75},
                                  expected.as<double>().begin());
                return list_of(std::move(expected));
            },
            0.0};
}

}  // namespace

std::vector<KernelCase> algebra_cases() {
    // Less than a tile and a chunk, whole ones, several with a rest.
    return {gram_case(1, 5, false),     gram_case(3, 512, false), gram_case(16, 130, false), gram_case(19, 1300, false),
            gram_case(33, 1025, false), gram_case(5, 700, true),  gram_sums_case()};
}

}  // namespace lossmap::kernels::test
