#include "data/byte_table.hpp"

namespace lossmap {

void ByteTable::decode(std::span<const std::byte> bytes, std::span<float> sample) const {
    const auto count = static_cast<std::size_t>(channels);
    const std::size_t size = sample.size() / count;
    for (std::size_t channel = 0; channel < count; ++channel) {
        const float* entries = values.data() + channel * kEntries;
        for (std::size_t i = channel * size; i < (channel + 1) * size; ++i)
            sample[i] = entries[static_cast<std::size_t>(bytes[i])];
    }
}

}  // namespace lossmap
