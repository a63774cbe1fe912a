#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap::test {

/// Choices that are the same with every standard library.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    /// One of [0, count).
    std::int64_t below(std::int64_t count) {
        return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(count));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
    bool chance(double probability) { return unit() < probability; }
    /// In [0, 1).
    double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
    /// In [-1, 1).
    double signed_unit() { return 2.0 * unit() - 1.0; }
    template <typename T>
    T one_of(std::initializer_list<T> list) {
        return list.begin()[below(static_cast<std::int64_t>(list.size()))];
    }

private:
    std::mt19937_64 engine_;
};

enum class NetworkKind : std::uint8_t { image, stages, sequence, vector };

/// A small network of random layers.
struct RandomNetwork {
    Graph graph;
    ParameterSpace space;
    StateVector origin;
    Shape sample_shape;           ///< of its one input
    std::int64_t vocabulary = 0;  ///< of tokens; 0: the input is f32
    Shape output;                 ///< a sample: classes, [classes, pixels..], [tokens, classes], or nothing: a number
    std::int64_t class_axis = 1;  ///< of the whole output
    std::string text;             ///< its layers, for messages
};

[[nodiscard]] RandomNetwork random_network(Random& random, NetworkKind kind);

}  // namespace lossmap::test
