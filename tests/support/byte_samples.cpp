#include "tests/support/byte_samples.hpp"

#include <random>
#include <utility>

namespace lossmap::test {

SampleChunk with_bytes(const SampleChunk& chunk, std::int64_t channels, bool normalised) {
    std::mt19937 random(17);
    ByteTable table{channels, {}};
    for (std::int64_t channel = 0; channel < channels; ++channel) {
        const float mean = 0.4F + 0.03F * static_cast<float>(channel);
        const float deviation = 0.2F + 0.01F * static_cast<float>(channel);
        for (int byte = 0; byte < 256; ++byte) {
            const float scaled = static_cast<float>(byte) / 255.0F;
            table.values.push_back(normalised ? (scaled - mean) / deviation : scaled);
        }
    }
    Tensor bytes(DType::u8, chunk.inputs.at(0).shape());
    for (std::uint8_t& byte : bytes.as<std::uint8_t>())
        byte = static_cast<std::uint8_t>(random() & 0xFF);
    SampleChunk result = rows_of(chunk, 0, chunk.count);
    result.inputs[0] = {std::move(bytes), std::make_shared<const ByteTable>(std::move(table))};
    return result;
}

SampleChunk with_values(const SampleChunk& chunk) {
    SampleChunk result = rows_of(chunk, 0, chunk.count);
    const SampleInput& source = chunk.inputs.at(0);
    const auto bytes = source.as<std::uint8_t>();
    const auto width = bytes.size() / static_cast<std::size_t>(chunk.count);
    const std::size_t plane = width / static_cast<std::size_t>(source.table->channels);
    Tensor values(DType::f32, source.shape());
    for (std::size_t k = 0; k < bytes.size(); ++k)
        values.as<float>()[k] = source.table->values[k % width / plane * 256 + bytes[k]];
    result.inputs[0] = std::move(values);
    return result;
}

}  // namespace lossmap::test
