#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/shape.hpp"
#include "graph/graph.hpp"

namespace lossmap {

/// What a parameter is to its network.
enum class Role : std::uint8_t {
    filter_weight,  ///< weight with an output axis: convolution, dense layer, recurrent gate, embedding table
    bias,
    norm_scale,    ///< gamma of a batch, layer, group, instance or RMS normalisation
    norm_shift,    ///< beta
    running_mean,  ///< state of a batch normalisation
    running_variance,
    other,  ///< trainable, but none of the above (layer scale, class token, PReLU slope)
};
[[nodiscard]] const char* name_of(Role role);

/// Which filter an element of a tensor belongs to. The tensor is read as [outer, count, inner] row-major: element
/// (o, f, i) is part of filter f. PyTorch's convolution weight: {1, out, in*kh*kw}; a MatMul weight [in, out]:
/// {in, out, 1}; LSTM gates [dirs, G*H, in]: {1, dirs*G*H, in}. Li et al. 2018, section 4.
struct FilterLayout {
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
};

struct Parameter {
    std::string name;
    ValueId value = kNoValue;  ///< in the graph it was found in
    Shape shape;               ///< as stored
    Role role = Role::other;
    int filter_axis = -1;  ///< axis of `shape` along which filters lie; -1: none (a tensor of one filter)
    FilterLayout filters;  ///< meaningful for weights of two or more dimensions
    bool one_dimensional =
        false;                ///< at most one dimension as PyTorch holds it: ignored or copied by random directions
    bool batch_norm = false;  ///< belongs to a batch normalisation (scale, shift, statistics)
    bool norm = false;        ///< belongs to any normalisation layer
    std::int64_t offset = 0;  ///< first element in its segment of the state vector
    std::int64_t size = 0;
    std::string reason;  ///< one sentence for `inspect`
};

/// A floating-point initializer that is no parameter, and why.
struct ConstantInfo {
    std::string name;
    Shape shape;
    std::string reason;
};

/// The flat state vector of a network in two segments: `weights` (trainable, in parameter order) and `states` (running
/// statistics). fp32.
class ParameterSpace {
public:
    std::vector<Parameter> weights;
    std::vector<Parameter> states;
    std::vector<ConstantInfo> constants;
    std::vector<std::string> warnings;  ///< "looks as if batch norms were folded", ..

    [[nodiscard]] std::int64_t weights_size() const;
    [[nodiscard]] std::int64_t states_size() const;
    /// nullptr when neither segment has it.
    [[nodiscard]] const Parameter* find(const std::string& name) const;
};

/// Pristine values of a state vector.
struct StateVector {
    std::vector<float> weights;
    std::vector<float> states;
};

struct ParameterRules {
    std::vector<std::string> include;  ///< globs over initializer names: count as trainable
    std::vector<std::string> exclude;  ///< globs: do not
};

/// Finds the parameters of an imported graph: by consumer and shape, by the metadata entry `lossmap.parameters` (order
/// and membership) and by `rules`. Marks their values ValueKind::parameter in `graph`, rewrites Identity of an
/// initializer into a parameter of its own (named by the Identity's output). Order: metadata; with Identity-shared
/// initializers the order of first use; else the order of initializers. Throws InputError when a rule matches nothing
/// or nothing trainable is found.
[[nodiscard]] ParameterSpace identify_parameters(Graph& graph, const ParameterRules& rules = {});

/// The values stored in the graph. Throws InputError when `graph` lacks one.
[[nodiscard]] StateVector read_state(const Graph& graph, const ParameterSpace& space);

/// Shell-style glob (`*`, `?`, `[abc]`) against a whole name.
[[nodiscard]] bool glob_match(const std::string& pattern, const std::string& text);

}  // namespace lossmap
