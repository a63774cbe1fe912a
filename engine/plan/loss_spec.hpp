#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lossmap {

enum class LossKind : std::uint8_t { cross_entropy, bce_with_logits, mse, mae, huber, output };

/// What is averaged over samples (interface: `loss`).
struct LossSpec {
    LossKind kind = LossKind::cross_entropy;
    int class_axis = 1;                        ///< cross_entropy: axis of the logits that holds classes
    std::optional<std::int64_t> ignore_index;  ///< cross_entropy
    double label_smoothing = 0.0;              ///< cross_entropy
    std::vector<double> class_weights;         ///< cross_entropy; empty: all 1
    bool one_hot_targets = false;              ///< mse against one-hot of integer labels
    bool softmax_activation = false;  ///< mse: softmax before the difference (the reference implementation's MSE)
    double delta = 1.0;               ///< huber
    std::string output_name;          ///< graph output to use; "" is the first

    /// Whether targets are class labels, so that error and accuracy exist.
    [[nodiscard]] bool has_classes() const {
        return kind == LossKind::cross_entropy || (kind == LossKind::mse && one_hot_targets);
    }
};

[[nodiscard]] const char* name_of(LossKind kind);

}  // namespace lossmap
