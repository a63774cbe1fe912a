#include "cpu/program_builder.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "cpu/bf16_values.hpp"
#include "cpu/layout_operation.hpp"
#include "cpu/rounding_operation.hpp"

namespace lossmap::cpu {

ProgramBuilder::ProgramBuilder(const Graph& graph, const Lowering& lowering, Materializer& materializer,
                               const Options& options)
    : graph_(graph),
      lowering_(lowering),
      materializer_(materializer),
      options_(options),
      last_use_(graph.values.size(), -1),
      copies_(graph.values.size()),
      bf16_values_(options.precision == Precision::bf16 ? bf16_values(graph, lowering)
                                                        : std::vector<bool>(graph.values.size(), false)) {
    for (std::size_t index = 0; index < lowering.steps.size(); ++index) {
        const Step& step = lowering.steps[index];
        for (const std::int32_t joined :
             {step.node, step.bias_add, step.batch_norm, step.residual_add, step.activation}) {
            if (joined < 0) continue;
            for (const ValueId input : node(joined).inputs) {
                if (input != kNoValue) last_use_[static_cast<std::size_t>(input)] = static_cast<std::int64_t>(index);
            }
        }
    }
    const auto needed_to_the_end = [this](ValueId id) {
        last_use_[static_cast<std::size_t>(id)] = std::numeric_limits<std::int64_t>::max();
    };
    for (const ValueId output : graph.outputs)
        needed_to_the_end(output);
    if (options.keep_results) {
        for (const Step& step : lowering.steps)
            needed_to_the_end(node(step.last_node()).outputs[0]);
    }
}

const Shape& ProgramBuilder::shape(ValueId id) const {
    const auto& known = value(id).shape;
    if (!known) throw InternalError("value '{}' has no shape", value(id).name);
    return *known;
}

bool ProgramBuilder::depends_on_samples(ValueId id) const {
    return lossmap::depends_on_samples(lowering_.classes[static_cast<std::size_t>(id)]);
}

Form ProgramBuilder::canonical(ValueId id, Form form) const {
    const Shape& extents = shape(id);
    if (form.layout == Layout::plain || extents.size() < 3) return {Layout::plain, form.bf16};
    // One channel, or one pixel: both layouts are the same bytes.
    const std::int64_t pixels = element_count(std::span(extents).subspan(2));
    return extents[1] == 1 || pixels == 1 ? Form{Layout::plain, form.bf16} : form;
}

const ProgramBuilder::Copy* ProgramBuilder::find_copy(ValueId id, Form form) const {
    const auto& copies = copies_[static_cast<std::size_t>(id)];
    const auto found = std::find_if(copies.begin(), copies.end(), [&](const Copy& copy) { return copy.form == form; });
    return found == copies.end() ? nullptr : &*found;
}

std::size_t ProgramBuilder::new_block(std::size_t bytes, std::int64_t needed_until) {
    blocks_.push_back({{-1, -1, bytes}, needed_until});
    return blocks_.size() - 1;
}

Place ProgramBuilder::touch(std::size_t block) {
    touched_.push_back(block);
    return {Place::Region::arena, block, nullptr};
}

Layout ProgramBuilder::layout_of(ValueId id, Layout fallback) const {
    const auto& copies = copies_[static_cast<std::size_t>(id)];
    const auto alike = [&](const Copy& copy) { return copy.form.layout == copies.front().form.layout; };
    const bool one = !copies.empty() && std::all_of(copies.begin(), copies.end(), alike);
    return one ? copies.front().form.layout : canonical(id, fallback).layout;
}

bool ProgramBuilder::lies_in_bf16(ValueId id) const {
    const auto& copies = copies_[static_cast<std::size_t>(id)];
    return !copies.empty() &&
           std::all_of(copies.begin(), copies.end(), [](const Copy& copy) { return copy.form.bf16; });
}

Place ProgramBuilder::read(ValueId id, Form form) {
    if (id == kNoValue) return {};
    const Form wanted = canonical(id, form);
    if (!depends_on_samples(id) && wanted == Layout::plain) return materializer_.keep(id);
    const Copy* copy = find_copy(id, wanted);
    return touch(copy != nullptr ? copy->block : convert(id, wanted));
}

Form ProgramBuilder::form_to_convert(ValueId id, Form wanted) const {
    const Layout other = wanted.layout == Layout::plain ? Layout::channels_last : Layout::plain;
    // f32 where there is one: what is read must not depend on who else reads it rounded.
    for (const Form form : {Form{other, wanted.bf16}, Form{wanted.layout, !wanted.bf16}, Form{other, !wanted.bf16}}) {
        if (find_copy(id, form) != nullptr) return form;
    }
    if (depends_on_samples(id)) throw InternalError("value '{}' is read before it is computed", value(id).name);
    return Layout::plain;
}

std::size_t ProgramBuilder::convert(ValueId id, Form form) {
    // The operation being put together keeps its own list: the conversion runs before it.
    std::vector<std::size_t> outer;
    outer.swap(touched_);
    Form present = form_to_convert(id, form);
    if (present.layout != form.layout && present.bf16 != form.bf16) {
        // Half the memory is moved when it is moved as bf16.
        present = {present.bf16 ? form.layout : present.layout, true};
        static_cast<void>(read(id, present));
        touched_.clear();
    }
    const Place source = read(id, present);
    const auto count = static_cast<std::size_t>(element_count(shape(id)));
    const Place target = write(id, form);
    if (present.layout == form.layout) {
        add(std::make_unique<RoundingOperation>(source, target, count, form.bf16),
            (form.bf16 ? "bf16 of " : "fp32 of ") + value(id).name);
    } else {
        add(std::make_unique<LayoutOperation>(source, target, shape(id), form.bf16 ? 2 : size_of(value(id).dtype),
                                              form.layout),
            "layout of " + value(id).name);
    }
    touched_.swap(outer);
    return target.offset;
}

Place ProgramBuilder::write(ValueId id, Form form) {
    const std::size_t element = form.bf16 ? size_of(DType::bf16) : size_of(value(id).dtype);
    const std::size_t block = new_block(static_cast<std::size_t>(element_count(shape(id))) * element, last_use(id));
    copies_[static_cast<std::size_t>(id)].push_back({canonical(id, form), block});
    return touch(block);
}

Place ProgramBuilder::overwrite(ValueId operand, ValueId result, Form form, const Place& keep_apart) {
    const Copy* copy = find_copy(operand, canonical(operand, form));
    if (copy == nullptr || !depends_on_samples(operand)) return {};
    Block& block = blocks_[copy->block];
    if (block.needed_until > static_cast<std::int64_t>(step_)) return {};
    if (keep_apart.region == Place::Region::arena && keep_apart.offset == copy->block) return {};
    const std::size_t index = copy->block;
    block.needed_until = last_use(result);
    copies_[static_cast<std::size_t>(result)].push_back({canonical(result, form), index});
    return touch(index);
}

Place ProgramBuilder::scratch(std::size_t bytes) {
    if (bytes == 0) return {};
    return touch(new_block(bytes, static_cast<std::int64_t>(step_)));
}

void ProgramBuilder::alias(ValueId operand, ValueId result) {
    const Form form{Layout::plain, lies_in_bf16(operand)};
    const Place place = read(operand, form);
    if (place.region != Place::Region::arena) throw InternalError("'{}' is no activation", value(operand).name);
    Block& block = blocks_[place.offset];
    block.needed_until = std::max(block.needed_until, last_use(result));
    copies_[static_cast<std::size_t>(result)].push_back({form, place.offset});
    touched_.clear();
}

void ProgramBuilder::add(std::unique_ptr<Operation> operation, std::string name) {
    const auto now = static_cast<std::int64_t>(operations_.size());
    for (const std::size_t index : touched_) {
        Lifetime& life = blocks_[index].life;
        if (life.first < 0) life.first = now;
        life.last = now;
    }
    touched_.clear();
    operations_.push_back(std::move(operation));
    names_.push_back(std::move(name));
}

std::vector<std::pair<ValueId, Place>> ProgramBuilder::kept_results() {
    std::vector<std::pair<ValueId, Place>> result;
    for (const Step& step : lowering_.steps) {
        const ValueId id = node(step.last_node()).outputs[0];
        if (value(id).dtype != DType::f32) continue;
        result.emplace_back(id, read(id, Layout::plain));
        touched_.clear();
        kept_.push_back(result.back().second.offset);
    }
    return result;
}

std::pair<MemoryPlan, Place> ProgramBuilder::finish(ValueId output) {
    const Place place = read(output, Layout::plain);
    touched_.clear();
    const auto end = static_cast<std::int64_t>(operations_.size());
    kept_.push_back(place.offset);
    for (const std::size_t block : kept_)
        blocks_[block].life.last = end;
    // Inputs are there before the first operation.
    for (const ValueId input : graph_.inputs) {
        for (const Copy& copy : copies_[static_cast<std::size_t>(input)]) {
            if (copy.form == Layout::plain) blocks_[copy.block].life.first = 0;
        }
    }
    std::vector<Lifetime> lives;
    for (Block& block : blocks_) {
        block.life.first = std::max<std::int64_t>(block.life.first, 0);
        block.life.last = std::max(block.life.last, block.life.first);
        lives.push_back(block.life);
    }
    return {plan_memory(lives), place};
}

}  // namespace lossmap::cpu
