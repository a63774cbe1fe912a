#include <limits>

#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::pair<std::string_view, LossKind> kKinds[] = {{"cross_entropy", LossKind::cross_entropy},
                                                            {"bce_with_logits", LossKind::bce_with_logits},
                                                            {"mse", LossKind::mse},
                                                            {"mae", LossKind::mae},
                                                            {"huber", LossKind::huber},
                                                            {"output", LossKind::output}};

/// Refuses options of another loss, so that none is left out silently.
void require_fitting_keys(const JsonReader& reader, LossKind kind) {
    const std::pair<const char*, LossKind> uses[] = {{"class_axis", LossKind::cross_entropy},
                                                     {"ignore_index", LossKind::cross_entropy},
                                                     {"label_smoothing", LossKind::cross_entropy},
                                                     {"class_weights", LossKind::cross_entropy},
                                                     {"targets", LossKind::mse},
                                                     {"activation", LossKind::mse},
                                                     {"delta", LossKind::huber},
                                                     {"name", LossKind::output}};
    for (const auto& [key, user] : uses) {
        const auto found = reader.find(key);
        if (found && kind != user) {
            found->fail(fmt::format("is an option of loss '{}', not of '{}'", name_of(user), name_of(kind)));
        }
    }
}

std::vector<double> parse_class_weights(const JsonReader& reader) {
    std::vector<double> weights;
    double sum = 0.0;
    for (const JsonReader& item : reader.items("a list with a number a class")) {
        const double weight = item.number();
        if (weight < 0.0) item.mismatch("a number of at least 0");
        weights.push_back(weight);
        sum += weight;
    }
    if (!(sum > 0.0)) reader.fail("all class weights are 0");
    return weights;
}

void parse_cross_entropy(const JsonReader& reader, LossSpec& loss) {
    constexpr std::int64_t kMostAxes = 16;
    if (const auto axis = reader.find("class_axis")) {
        loss.class_axis = static_cast<int>(axis->integer(-kMostAxes, kMostAxes));
    }
    if (const auto index = reader.find("ignore_index")) {
        loss.ignore_index =
            index->integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    }
    if (const auto smoothing = reader.find("label_smoothing")) {
        loss.label_smoothing = smoothing->number("a number from 0 to 1");
        if (loss.label_smoothing < 0.0 || loss.label_smoothing > 1.0) smoothing->mismatch("a number from 0 to 1");
    }
    if (const auto weights = reader.find("class_weights")) loss.class_weights = parse_class_weights(*weights);
}

}  // namespace

LossSpec parse_loss(const JsonReader& reader) {
    LossSpec loss;
    if (reader.is_text()) {
        loss.kind = reader.choice(kKinds);
        return loss;
    }
    reader.require_section("loss", "a loss's name or an object with 'kind'");
    loss.kind = reader.member("kind", "a loss's name").choice(kKinds);
    require_fitting_keys(reader, loss.kind);
    if (loss.kind == LossKind::cross_entropy) parse_cross_entropy(reader, loss);
    constexpr std::pair<std::string_view, bool> kTargets[] = {{"values", false}, {"one_hot", true}};
    constexpr std::pair<std::string_view, bool> kActivations[] = {{"none", false}, {"softmax", true}};
    if (const auto targets = reader.find("targets")) loss.one_hot_targets = targets->choice(kTargets);
    if (const auto activation = reader.find("activation")) loss.softmax_activation = activation->choice(kActivations);
    if (const auto delta = reader.find("delta")) {
        loss.delta = delta->number("a number above 0");
        if (!(loss.delta > 0.0)) delta->mismatch("a number above 0");
    }
    if (const auto name = reader.find("name")) loss.output_name = name->text("the name of a graph output");
    return loss;
}

}  // namespace lossmap
