#include "engine.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace neuro_lif {

Lif lif_in(const std::vector<Instruction>& code) {
    Lif found;
    const int n = int(code.size());
    int i = 0;
    auto is = [&](OpCode op) { return i < n && code[i].op == op; };
    auto fixed = [](const Operand& o) {
        return !o.negative && (o.where == Where::constant || o.where == Where::parameter);
    };
    if (!is(OpCode::acc) || !code[i].fused || code[i].k < 0) return found;
    found.acc = i++;
    const int u = code[found.acc].reg;
    int drive = u;
    if (is(OpCode::copy) && code[i].only && code[i].a.index == u) {
        drive = code[i++].reg;
        if (!is(OpCode::add) || code[i].reg != drive || !fixed(code[i].a) || code[i].k != 0 ||
            code[i].sign < 0 || code[i].fused || code[i].event >= 0)
            return found;
        found.bias = i++;
    }
    if (!is(OpCode::add) || !code[i].fused || code[i].k != 0 || code[i].sign < 0 ||
        code[i].a.where != Where::register_ || code[i].a.index != drive || code[i].a.negative ||
        code[i].reg == u || code[i].reg == drive)
        return found;
    const int v = code[i].reg;
    found.add = i++;
    if (is(OpCode::if_ref)) {
        if (code[i].n_then != 1 || code[i].n_else != 0) return found;
        i++;
        if (!is(OpCode::copy) || code[i].reg != v || !fixed(code[i].a)) return found;
        found.hold = i++;
    }
    if (!is(OpCode::fire)) return found;
    const Instruction& fire = code[i];
    if (!fire.only || !fire.once || fire.reg != v || fire.compare_reg >= 0 || fire.has_min ||
        fire.k != 0 || Reset(fire.reset) != Reset::value || !fixed(fire.a) || !fixed(fire.b) ||
        !(fire.c.where == Where::none || fixed(fire.c)))
        return found;
    found.fire = i++;
    if (is(OpCode::tick_ref)) found.tick = i++;
    const bool refractory = found.hold >= 0;
    if ((fire.c.where != Where::none) != refractory || (found.tick >= 0) != refractory) return found;
    found.present = i == n;
    return found;
}

namespace {

// The largest powers of two within which a block is calm: nothing that can arrive takes u, the
// drive or v out of the ranges that the program was written for.
Calm calm_of(const Population& pop) {
    Calm out;
    const Lif& lif = pop.quick.lif;
    if (!pop.quick.present || !lif.present || pop.arriving.empty()) return out;
    const auto& code = pop.quick.code;
    const Instruction &acc = code[lif.acc], &add = code[lif.add], &fire = code[lif.fire];
    CalmJob& job = out.job;
    job.one = true;
    auto spread = [&](const Operand& o) {
        Spread<int32_t> p;
        p.each = o.where == Where::parameter;
        p.values = p.each ? pop.quick_parameters[o.index].data() : pop.quick_constants[o.index].data();
        job.one &= !p.each;
        return p;
    };
    auto factor = [&](int instruction) {
        const std::vector<float>& values = pop.factors[instruction];
        job.one &= values.size() == LANES + 1u;
        return Spread<float>{values.data(), values.size() != LANES + 1u};
    };
    auto range = [&](const auto& p) {  // of the neurons there are
        const int n = p.each ? pop.size : 1;
        const auto found = std::minmax_element(p.values, p.values + n);
        return std::pair<double, double>{*found.first, *found.second};
    };
    static const std::vector<int32_t> zero(LANES, 0);
    job.factor_u = factor(lif.acc);
    job.factor_v = factor(lif.add);
    job.bias = lif.bias >= 0 ? spread(code[lif.bias].a) : Spread<int32_t>{zero.data(), false};
    job.held = lif.hold >= 0 ? spread(code[lif.hold].a) : Spread<int32_t>{};
    job.refract = lif.hold >= 0 ? spread(fire.c) : Spread<int32_t>{};
    job.threshold = spread(fire.a);
    job.reset = spread(fire.b);
    job.shift = acc.k;
    for (const auto& f : {job.factor_u, job.factor_v})
        if (range(f).first < 0 || range(f).second > 1) return out;
    if (lif.hold >= 0 && range(job.refract).second > 1 << 24) return out;
    if (Compare(fire.compare) == Compare::ge) {  // v >= threshold is v > threshold - 1
        if (range(job.threshold).first <= INT32_MIN + 1) return out;
        const int n = job.threshold.each ? pop.padded() : LANES;
        for (int i = 0; i < n; i++) out.threshold.push_back(job.threshold.values[i] - 1);
        job.threshold.values = out.threshold.data();
    } else if (Compare(fire.compare) != Compare::gt) {
        return out;
    }
    out.u = acc.reg;
    out.v = add.reg;
    out.port = acc.port;
    const auto [in_lo, in_hi] = pop.arriving.at(out.port);
    const int64_t lo = in_lo * (int64_t(1) << acc.k), hi = in_hi * (int64_t(1) << acc.k);
    const auto [bias_lo, bias_hi] = range(job.bias);
    const auto [reset_lo, reset_hi] = range(job.reset);
    const int64_t least = INT32_MIN, most = INT32_MAX;
    if (in_lo < std::max(acc.in_lo, least) || in_hi > std::min(acc.in_hi, most)) return out;
    auto inside = [&](int64_t x_lo, int64_t x_hi, const Instruction& q) {
        return x_lo >= std::max(q.lo, least) && x_hi <= std::min(q.hi, most);
    };
    int best = 0;
    for (int v_bits = 30; v_bits > 0; v_bits--)
        for (int u_bits = 30; u_bits > 0; u_bits--) {
            const int64_t u = int64_t(1) << u_bits, v = int64_t(1) << v_bits;
            const int64_t d_lo = lo - u + int64_t(bias_lo), d_hi = hi + u + int64_t(bias_hi);
            if (u_bits + v_bits <= best || reset_lo < -v || reset_hi >= v ||
                !inside(lo - u, hi + u, acc) ||
                (lif.bias >= 0 && !inside(d_lo, d_hi, code[lif.bias])) ||
                !inside(d_lo - v, d_hi + v, add))
                continue;
            best = u_bits + v_bits;
            job.safe_u = int32_t(u);
            job.safe_v = int32_t(v);
        }
    out.present = best > 0;
    return out;
}

}  // namespace

void Network::prepare() {
    from_source_.assign(source_sizes.size(), {});
    from_population_.assign(populations.size(), {});
    values_matter_.assign(source_sizes.size(), 0);
    for (auto& pop : populations) pop.ring_steps.assign(pop.port_of.size(), 0);
    for (size_t i = 0; i < projections.size(); i++) {
        Projection& p = projections[i];
        (p.from_source ? from_source_[p.pre] : from_population_[p.pre]).push_back(int(i));
        if (p.from_source)
            values_matter_[p.pre] |= p.graded || p.singly || p.binary_event >= 0;
        int longest = p.delay;
        if (!p.single) {
            const int64_t n = p.segment_start.data ? p.row_start.at(p.n_pre) : 0;
            for (int64_t k = 0; k < n; k++)
                longest = std::max(longest, int(p.segment_delay.at(k)));
        }
        p.number = int(i);
        p.n_slots = longest + p.latency + 1;
        if (p.singly) continue;  // it has no ring of sums
        int& steps = populations[p.post].ring_steps[p.port];
        steps = std::max(steps, p.n_slots);
    }
    for (const Drive& d : drives) {
        int& steps = populations[d.population].ring_steps[d.port];
        steps = std::max(steps, 1);
    }
    for (auto& pop : populations) {
        for (int64_t c : pop.exact.constants)
            pop.exact_constants.emplace_back(LANES, c);
        for (int64_t c : pop.quick.constants)
            pop.quick_constants.emplace_back(LANES, int32_t(c));
        for (const auto& c : pop.exact_constants) pop.exact_constant_at.push_back(c.data());
        for (const auto& c : pop.quick_constants) pop.quick_constant_at.push_back(c.data());
        if (pop.quick_parameters.size() > MOST_PARAMETERS || pop.factors.size() > MOST_CODE)
            throw std::invalid_argument("a program that is too long");
        // a power of two, so that a slot is found without a division
        for (int& steps : pop.ring_steps) {
            int power = steps ? 1 : 0;
            while (steps && power < steps) power *= 2;
            steps = power;
        }
        pop.starts_wild.assign(pop.n_blocks(), !pop.quick.present);
        for (int r = 0; r < pop.n_registers; r++) {
            pop.initial32.emplace_back(pop.padded(), 0);
            for (int i = 0; i < pop.size; i++) {
                const int64_t x = pop.initial[r][i];
                pop.initial32[r][i] = int32_t(x);
                pop.starts_wild[i / LANES] |= x < pop.spans[r].first || x > pop.spans[r].second;
            }
        }
        pop.calm = calm_of(pop);
        if (!pop.calm.threshold.empty()) pop.calm.job.threshold.values = pop.calm.threshold.data();
        // sums that are shifted right as they arrive are not in the port's own ring
        pop.calm.present &= int(pop.port_of.size()) == pop.n_ports;
    }
    alone_ = cuts(1);
}

bool Network::may_be_calm(const Sample& s, int index, int64_t n, const std::vector<Feed>& feeds,
                          const std::vector<Trace>& traces) const {
    const Population& pop = populations[index];
    if (!pop.calm.present || s.done + n >= 1 << 30) return false;
    const int drive = pop.quick.lif.bias >= 0 ? pop.quick.code[pop.quick.lif.bias].reg : -1;
    if (drive >= 0 && drive != pop.calm.u && (s.keep[index] >> drive & 1)) return false;
    for (const Feed& feed : feeds)
        if (!feed.to_source && feed.index == index) return false;
    for (const Trace& trace : traces)
        if (trace.population == index && trace.reg == 0) return false;
    return true;
}

// Make a block calm if it is; t: the step done last.
void Network::calm_down(Sample::Cells& cells, const Population& pop, int block, int64_t t) const {
    const CalmJob& job = pop.calm.job;
    const int first = block * LANES, last = std::min(pop.padded(), first + LANES);
    for (const auto& [reg, safe] : {std::pair{pop.calm.u, job.safe_u}, {pop.calm.v, job.safe_v}})
        for (int i = first; i < last; i++) {
            const int32_t x = cells.registers[reg][i];
            if (x < -safe || x >= safe) return;
        }
    if (!cells.until.empty())
        for (int i = first; i < last; i++) {
            const int32_t left = cells.registers[0][i];
            if (left < 0 || left > 1 << 24) return;
            cells.until[i] = int32_t(t) + left;
        }
    cells.calm[block] = 1;
}

// Give a block its refractory counters back.
void Network::wake(Sample::Cells& cells, const Population& pop, int block, int64_t t) const {
    cells.calm[block] = 0;
    if (cells.until.empty()) return;
    const int first = block * LANES, last = std::min(pop.padded(), first + LANES);
    for (int i = first; i < last; i++)
        cells.registers[0][i] = std::max(cells.until[i] - int32_t(t), 0);
}

// Step the blocks from `first_block` to `last_block`, all of them calm.
bool Network::run_calm(Sample& s, int index, int64_t t, int first_block, int last_block,
                       std::vector<uint32_t>& active) const {
    const Population& pop = populations[index];
    Sample::Cells& cells = s.cells[index];
    const int port = pop.calm.port, steps = pop.ring_steps[port];
    uint32_t found[CALM_BLOCKS * LANES + GROUP];
    CalmJob job = pop.calm.job;
    job.size = pop.size;
    job.u = cells.registers[pop.calm.u].data();
    job.v = cells.registers[pop.calm.v].data();
    job.until = cells.until.empty() ? nullptr : cells.until.data();
    job.in = steps ? cells.rings[port].data() + (t & (steps - 1)) * int64_t(pop.padded())
                   : nullptr;
    job.values = s.values[index].data();
    job.found = found;
    job.calm = cells.calm.data();
    job.now = int32_t(t);
    for (int block = first_block; block < last_block; block += CALM_BLOCKS) {
        job.first_block = block;
        job.last_block = std::min(block + CALM_BLOCKS, last_block);
        const int n = chosen_variant().calm(job);
        active.insert(active.end(), found, found + n);
    }
    bool all = true;
    for (int block = first_block; block < last_block; block++) {
        if (cells.calm[block]) continue;
        wake(cells, pop, block, t);
        all = false;
    }
    return all;
}

bool Network::all_calm(const Sample& s) const {
    for (const auto& cells : s.cells)
        if (std::memchr(cells.calm.data(), 0, cells.calm.size())) return false;
    return true;
}

std::unique_ptr<Sample> Network::start(const std::vector<uint32_t>& keep) const {
    auto s = std::make_unique<Sample>();
    s->keep = keep;
    s->counted.resize(n_events);
    s->spikes.resize(populations.size());
    for (const auto& pop : populations) {
        Sample::Cells cells;
        cells.wild.resize(pop.n_blocks());
        cells.registers = pop.initial32;
        for (int b = 0; b < pop.n_blocks(); b++) {
            if (!pop.starts_wild[b]) continue;
            const int first = b * LANES, last = std::min(pop.size, first + LANES);
            auto& block = cells.wild[b];
            block.assign(size_t(pop.n_registers) * LANES, 0);
            for (int r = 0; r < pop.n_registers; r++)
                for (int i = first; i < last; i++)
                    block[size_t(r) * LANES + i - first] = pop.initial[r][i];
        }
        for (int steps : pop.ring_steps)
            cells.rings.emplace_back(size_t(steps) * pop.padded(), 0);
        cells.calm.assign(pop.n_blocks(), 0);
        if (pop.calm.present && pop.quick.lif.hold >= 0) cells.until.assign(pop.padded(), 0);
        s->cells.push_back(std::move(cells));
        s->active.emplace_back();
        s->active.back().reserve(pop.padded());
        s->values.emplace_back(pop.padded(), 0);
    }
    start_singly(*s);
    for (const auto& p : projections) {
        if (!p.conv) continue;
        const int64_t bytes = (p.conv->size() + CONV_SPARE) * (p.conv->narrow ? 2 : 4);
        s->plane.resize(std::max(s->plane.size(), size_t(bytes / 4 + 1 + 64 / 4)), 0);
        const size_t n_pre = size_t(p.conv->n_pre_channels) * p.conv->groups * p.conv->n_middle * p.conv->n_last;
        if (p.conv->sortable()) s->order.resize(std::max(s->order.size(), p.conv->x_in + 1 + n_pre));
        s->masks.resize(std::max(s->masks.size(), size_t(p.conv->n_masks())), 0);
        s->touched.resize(std::max(s->touched.size(), size_t(p.conv->groups) * p.conv->x_in + p.conv->x), 0);
    }
    return s;
}

void Network::count(Sample& s, int32_t event, int64_t n, int64_t neuron) const {
    Counted& c = s.counted[event];
    if (c.count == 0) {
        c.first_step = s.done;
        c.first_neuron = neuron;
    } else if (c.first_step == s.done) {
        c.first_neuron = std::min(c.first_neuron, neuron);
    }
    c.count += n;
}

namespace {

template <class P, class W>
void add_row(int32_t* __restrict out, const P* __restrict posts, const W* __restrict weights,
             int64_t first, int64_t last, int32_t factor, int shift) {
    if (factor == 1 && shift == 0) {
        for (int64_t k = first; k < last; k++) out[posts[k]] += weights[k];
    } else {
        const int32_t scale = int32_t(uint32_t(factor) << shift);
        for (int64_t k = first; k < last; k++) out[posts[k]] += weights[k] * scale;
    }
}

template <class P>
void add_span(const Projection& p, int32_t* out, int64_t first, int64_t last, int32_t factor) {
    const P* posts = static_cast<const P*>(p.posts.data);
    if (p.by_row)
        add_same(out, posts, first, last, factor);
    else if (!p.weights.data)
        add_same(out, posts, first, last, int32_t(p.weight) * factor);
    else if (p.weights.width == 1)
        add_row(out, posts, static_cast<const int8_t*>(p.weights.data), first, last, factor, p.shift);
    else if (p.weights.width == 2)
        add_row(out, posts, static_cast<const int16_t*>(p.weights.data), first, last, factor, p.shift);
    else
        add_row(out, posts, static_cast<const int32_t*>(p.weights.data), first, last, factor, p.shift);
}

}  // namespace

void Network::convolve(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                       const int32_t* values, int32_t* out) const {
    // where a line of the cache begins, or every vector would take two
    const uintptr_t plane = (reinterpret_cast<uintptr_t>(s.plane.data()) + 63) & ~uintptr_t(63);
    const ConvJob job{p.conv.get(), active, n_active, p.graded ? values : nullptr,
                      reinterpret_cast<void*>(plane), s.touched.data(), p.shift, out,
                      p.conv->window ? s.masks.data() : nullptr,
                      p.conv->sortable() ? s.order.data() : nullptr};
    chosen_conv().scatter(job);
    chosen_conv().fold(job);
}

void Network::deliver_bits(const Projection& p, const uint32_t* active, int n_active, int from,
                           int to, int32_t* out) const {
    if (from >= to) return;
    const Bits& bits = *p.bits;
    const BitsVariant& variant = chosen_bits();
    if (bits.each) return variant.spread({&bits, active, n_active, 0, from, to, out});
    auto job = [&](const uint32_t* rows, int n, int32_t weight) {
        if (n) variant.count({&bits, rows, n, weight, from, to, out});
    };
    if (bits.kind.empty()) return job(active, n_active, bits.weights[0]);
    thread_local std::vector<uint32_t> alike;
    alike.resize(n_active);
    for (size_t kind = 0; kind < bits.weights.size(); kind++) {
        int n = 0;
        for (int k = 0; k < n_active; k++) {
            alike[n] = active[k];
            n += bits.kind[active[k]] == kind;
        }
        job(alike.data(), n, bits.weights[kind]);
    }
}

void Network::deliver(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                      const int32_t* values, int64_t t, const Cuts& cuts, int thread) const {
    if (n_active == 0) return;
    if (p.singly) return send(s, p, active, n_active, values, t);
    const Population& post = populations[p.post];
    int32_t* ring = s.cells[p.post].rings[p.port].data();
    const int64_t steps = post.ring_steps[p.port], row = post.padded();
    if (p.graded) {
        int64_t most = 0;
        for (int k = 0; k < n_active; k++) {
            const int64_t value = values[active[k]];
            most += (value < 0 ? -value : value) * p.row_most[active[k]];
        }
        if (most > p.most_per_step) {
            s.too_wide = t;
            return;
        }
    }
    if (p.binary_event >= 0) {
        int64_t lost = 0, lowest = 0;
        for (int k = n_active - 1; k >= 0; k--)
            if (values[active[k]] != 1) lost++, lowest = active[k];
        if (lost) count(s, p.binary_event, lost, lowest);
    }
    if (p.conv) {
        convolve(s, p, active, n_active, values,
                 ring + ((t + p.latency + p.delay) & (steps - 1)) * row);
        return;
    }
    if (p.dense || p.bits) {
        int32_t* out = ring + ((t + p.latency + p.delay) & (steps - 1)) * row;
        int from = 0, to = p.n_post;
        if (cuts.threads > 1) {
            from = Cuts::block(post.n_blocks(), thread, cuts.threads) * LANES;
            to = std::min(to, Cuts::block(post.n_blocks(), thread + 1, cuts.threads) * LANES);
        }
        if (p.bits) return deliver_bits(p, active, n_active, from, to, out);
        if (!p.graded) {
            const auto dense = p.stride < WIDE_ROW ? chosen_conv().dense_narrow
                                                   : chosen_variant().dense;
            if (from < to)
                dense({static_cast<const char*>(p.weights.data) + int64_t(from) * p.weights.width,
                       p.stride, p.weights.width, p.shift, to - from, active, n_active, out + from, p.small});
            return;
        }
        for (int k = 0; k < n_active; k++) {
            const int64_t from = int64_t(active[k]) * p.stride;
            const int32_t scale = int32_t(uint32_t(values[active[k]]) << p.shift);
            for (int j = 0; j < p.n_post; j++)
                out[j] += int32_t(p.weights.at(from + j)) * scale;
        }
        return;
    }
    const int tiles = cuts.tiles[p.number];
    for (int part = thread * tiles; part < (thread + 1) * tiles; part++)
        deliver_rows(s, p, active, n_active, values, t, cuts, part);
}

// Add the sparse rows of active neurons, as far as they lie in one part.
void Network::deliver_rows(Sample& s, const Projection& p, const uint32_t* active, int n_active,
                           const int32_t* values, int64_t t, const Cuts& cuts, int part) const {
    const Population& post = populations[p.post];
    int32_t* ring = s.cells[p.post].rings[p.port].data();
    const int64_t steps = post.ring_steps[p.port], row = post.padded();
    const bool narrow = p.posts.width == 2;
    const uint32_t* cut_at = cuts.rows[p.number].empty() ? nullptr : cuts.rows[p.number].data();
    const int others = cuts.threads * cuts.tiles[p.number] - 1;
    auto cut = [&](int64_t row, int64_t& first, int64_t& last) {  // the part's synapses
        if (!cut_at) return;
        const uint32_t* at = cut_at + row * others;
        if (part < others) last = first + at[part];
        if (part > 0) first += at[part - 1];
    };
    // memory is asked early: where a row begins, then the row itself
    auto fetch_start = [&](int k) {
        if (k >= n_active) return;
        const char* starts = static_cast<const char*>(p.row_start.data);
        __builtin_prefetch(starts + int64_t(active[k]) * p.row_start.width);
        if (cut_at && p.single) __builtin_prefetch(cut_at + int64_t(active[k]) * others);
    };
    auto fetch = [&](int k) {
        if (k >= n_active) return;
        int64_t first = p.row_start.at(active[k]), last = p.row_start.at(active[k] + 1);
        if (p.single)
            cut(active[k], first, last);
        else
            first = p.segment_start.at(first), last = p.segment_start.at(last);
        fetch_row(p.posts, p.by_row ? View{} : p.weights, first, last);
    };
    constexpr int SOON = 3, LATER = 8;
    for (int k = 0; k < LATER; k++) fetch_start(k);
    for (int k = 0; k < SOON; k++) fetch(k);
    for (int k = 0; k < n_active; k++) {
        const uint32_t pre = active[k];
        int32_t factor = p.graded ? values[pre] : 1;
        if (p.by_row) factor = int32_t((uint32_t(p.weights.at(pre)) << p.shift) * uint32_t(factor));
        int64_t first = p.row_start.at(pre), last = p.row_start.at(pre + 1);
        fetch_start(k + LATER);
        fetch(k + SOON);
        if (p.single) {
            cut(pre, first, last);
            int32_t* out = ring + ((t + p.latency + p.delay) & (steps - 1)) * row;
            if (narrow)
                add_span<uint16_t>(p, out, first, last, factor);
            else
                add_span<uint32_t>(p, out, first, last, factor);
            continue;
        }
        for (; first < last; first++) {
            const int64_t slot = (t + p.latency + p.segment_delay.at(first)) & (steps - 1);
            int64_t from = p.segment_start.at(first), to = p.segment_start.at(first + 1);
            cut(first, from, to);
            if (narrow)
                add_span<uint16_t>(p, ring + slot * row, from, to, factor);
            else
                add_span<uint32_t>(p, ring + slot * row, from, to, factor);
        }
    }
}

void Network::drive(Sample& s, int p, int sample, int64_t t, int first, int last) const {
    const Population& pop = populations[p];
    for (const Drive& d : drives) {
        if (d.population != p) continue;
        const int64_t slot = t & (pop.ring_steps[d.port] - 1);
        chosen_drive()({{d.seed, d.network_seed, uint32_t(sample), 0}, uint64_t(t),
                        d.tables.data(), d.table_of.empty() ? nullptr : d.table_of.data(),
                        d.weights.data(), d.weights.size() == 1, first, last,
                        s.cells[p].rings[d.port].data() + slot * pop.padded()});
    }
}

void Network::neurons(Sample& s, int index, int sample, int64_t row,
                      const std::vector<Feed>& feeds, const std::vector<Trace>& traces,
                      bool may_be_calm) const {
    const Population& pop = populations[index];
    if (pop.singly) return neurons_singly(s, index, sample, row, feeds, traces);
    Sample::Cells& cells = s.cells[index];
    const Variant& variant = chosen_variant();
    const int64_t t = s.done;
    std::vector<uint32_t>& active = s.active[index];
    active.clear();
    if (may_be_calm && traces.empty() && !std::memchr(cells.calm.data(), 0, cells.calm.size())) {
        run_calm(s, index, t, 0, pop.n_blocks(), active);
        s.quick_blocks += pop.n_blocks();
        s.calm_blocks += pop.n_blocks();
        return note_spikes(s, index, true);
    }
    uint32_t found[LANES];
    constexpr int MOST_RINGS = 64;
    int32_t* ports[MOST_RINGS] = {};
    const int n_rings = int(pop.ring_steps.size());
    for (int q = 0; q < n_rings; q++)
        if (pop.ring_steps[q])
            ports[q] = cells.rings[q].data() + (t & (pop.ring_steps[q] - 1)) * int64_t(pop.padded());
    const int n_parameters = int(pop.parameters.size());
    const size_t n_quick = pop.quick_parameters.size(), n_factors = pop.factors.size();
    const int32_t* quick_parameters[MOST_PARAMETERS];
    const float* factors[MOST_CODE];

    for (int block = 0; block < pop.n_blocks(); block++) {
        if (may_be_calm && !cells.calm[block] && cells.wild[block].empty())
            calm_down(cells, pop, block, t - 1);
        if (cells.calm[block] && may_be_calm) {
            int last = block + 1;
            while (last < pop.n_blocks() && cells.calm[last]) last++;
            run_calm(s, index, t, block, last, active);
            s.quick_blocks += last - block;
            s.calm_blocks += last - block;
            for (const Trace& trace : traces) {
                if (trace.population != index) continue;
                const int from = block * LANES, to = std::min(pop.size, last * LANES);
                const int32_t* x = cells.registers[trace.reg].data();
                int64_t* out = trace.out + sample * trace.sample_stride + row * trace.step_stride;
                std::copy(x + from, x + to, out + from);
            }
            block = last - 1;
            continue;
        }
        if (cells.calm[block]) wake(cells, pop, block, t - 1);
        const int first = block * LANES, lanes = std::min(LANES, pop.size - first);
        const int padded = (lanes + GROUP - 1) / GROUP * GROUP;
        int32_t extra[8][LANES];
        int32_t* sent = s.values[index].data() + first;
        const int32_t* arriving[8] = {};
        int64_t wide_extra[8][LANES];
        bool has_extra[8] = {};
        for (int q = 0; q < pop.n_ports; q++)
            arriving[q] = ports[q] ? ports[q] + first : nullptr;
        bool too_wide = false;
        auto widened = [&](int q) {  // what arrives at a port, to be added to
            if (!has_extra[q])
                for (int i = 0; i < padded; i++)
                    wide_extra[q][i] = arriving[q] ? arriving[q][i] : 0;
            has_extra[q] = true;
            return wide_extra[q];
        };
        // rings beyond the ports' own: sums that are shifted to the right as they arrive
        for (int r = pop.n_ports; r < n_rings; r++) {
            if (!ports[r]) continue;
            int64_t* sums = widened(pop.port_of[r]);
            const int k = pop.right_shift[r];
            for (int i = 0; i < padded; i++) sums[i] += ports[r][first + i] >> k;
        }
        for (const Feed& feed : feeds) {
            if (feed.to_source || feed.index != index || !feed.has(row)) continue;
            int64_t* sums = widened(feed.port);
            const int64_t from = feed.at(sample, row) + first;
            for (int i = 0; i < lanes; i++) sums[i] += feed.data.at(from + i);
        }
        for (int q = 0; q < pop.n_ports; q++) {
            if (!has_extra[q]) continue;
            for (int i = 0; i < padded; i++) {
                extra[q][i] = int32_t(wide_extra[q][i]);
                too_wide |= extra[q][i] != wide_extra[q][i];
            }
            arriving[q] = extra[q];
        }
        std::vector<int64_t>& wild = cells.wild[block];
        bool any_sent = false, done = false;
        const void* last_state[MOST_REGISTERS];
        if (wild.empty() && !too_wide) {
            Block<int32_t> b;
            b.code = pop.quick.code.data();
            b.n_code = int(pop.quick.code.size());
            b.rules = pop.quick.rules.data();
            b.lif = pop.quick.lif.present ? &pop.quick.lif : nullptr;
            b.sends_once = pop.quick.sends_once;
            for (size_t k = 0; k < n_quick; k++)
                quick_parameters[k] = pop.quick_parameters[k].data() + first;
            for (size_t k = 0; k < n_factors; k++)
                factors[k] = pop.factors[k].empty()            ? nullptr
                             : pop.factors[k].size() == LANES + 1u ? pop.factors[k].data()
                                                               : pop.factors[k].data() + first;
            b.constants = pop.quick_constant_at.data();
            b.parameters = quick_parameters;
            b.factors = factors;
            b.keep = s.keep[index];
            b.sent = sent;
            b.lanes = lanes;
            b.t = t;
            for (int r = 0; r < pop.n_registers; r++) b.state[r] = cells.registers[r].data() + first;
            for (int r = pop.n_registers; r < MOST_REGISTERS; r++) b.state[r] = nullptr;
            for (int q = 0; q < 8; q++) b.ports[q] = arriving[q];
            done = variant.step32(b);
            if (done) {
                for (int k = 0; k < b.n_pending; k++)
                    count(s, b.pending[k].event, b.pending[k].count, first + b.pending[k].first);
                any_sent = b.any_sent;
                s.quick_blocks++;
                for (int r = 0; r < pop.n_registers; r++) last_state[r] = b.state[r];
            }
        }
        if (!done) {  // in 64 bits
            s.exact_blocks++;
            int64_t wide_sent[LANES], wide_ports[8][LANES];
            if (wild.empty()) {
                wild.assign(size_t(pop.n_registers) * LANES, 0);
                for (int r = 0; r < pop.n_registers; r++)
                    for (int i = 0; i < lanes; i++)
                        wild[size_t(r) * LANES + i] = cells.registers[r][first + i];
            }
            std::vector<const int64_t*> parameters(n_parameters);
            std::vector<std::vector<int64_t>> tails(n_parameters);
            for (int k = 0; k < n_parameters; k++) {
                parameters[k] = static_cast<const int64_t*>(pop.parameters[k].data) + first;
                if (lanes < padded) {
                    tails[k].assign(parameters[k], parameters[k] + lanes);
                    tails[k].resize(padded, 0);
                    parameters[k] = tails[k].data();
                }
            }
            Block<int64_t> b;
            b.code = pop.exact.code.data();
            b.n_code = int(pop.exact.code.size());
            b.rules = pop.exact.rules.data();
            b.lif = nullptr;
            b.sends_once = pop.exact.sends_once;
            b.constants = pop.exact_constant_at.data();
            b.parameters = parameters.data();
            b.factors = nullptr;
            b.keep = ~0u;
            b.sent = wide_sent;
            b.lanes = lanes;
            b.t = t;
            for (int r = 0; r < MOST_REGISTERS; r++)
                b.state[r] = r < pop.n_registers ? wild.data() + size_t(r) * LANES : nullptr;
            for (int q = 0; q < 8; q++) {
                b.ports[q] = nullptr;
                if (!arriving[q]) continue;
                for (int i = 0; i < padded; i++)
                    wide_ports[q][i] = q < pop.n_ports && has_extra[q] ? wide_extra[q][i]
                                                                       : arriving[q][i];
                b.ports[q] = wide_ports[q];
            }
            variant.step64(b);
            for (int k = 0; k < b.n_pending; k++)
                count(s, b.pending[k].event, b.pending[k].count, first + b.pending[k].first);
            any_sent = b.any_sent;
            for (int i = 0; i < lanes; i++) {
                sent[i] = int32_t(wide_sent[i]);
                if (sent[i] != wide_sent[i]) s.too_wide = t;
            }
            for (int i = lanes; i < padded; i++) sent[i] = 0;
            for (int r = 0; r < pop.n_registers; r++) last_state[r] = b.state[r];
            bool tame = pop.quick.present;
            for (int r = 0; r < pop.n_registers; r++) {
                if (!(s.keep[index] >> r & 1)) continue;
                for (int i = 0; i < lanes; i++)
                    tame &= b.state[r][i] >= pop.spans[r].first && b.state[r][i] <= pop.spans[r].second;
            }
            for (const Trace& trace : traces) {
                if (trace.population != index) continue;
                int64_t* out = trace.out + sample * trace.sample_stride + row * trace.step_stride + first;
                std::memcpy(out, b.state[trace.reg], sizeof(int64_t) * lanes);
            }
            if (tame) {
                for (int r = 0; r < pop.n_registers; r++)
                    for (int i = 0; i < lanes; i++)
                        cells.registers[r][first + i] = int32_t(wild[size_t(r) * LANES + i]);
                wild.clear();
            }
        } else {
            for (const Trace& trace : traces) {
                if (trace.population != index) continue;
                int64_t* out = trace.out + sample * trace.sample_stride + row * trace.step_stride + first;
                const int32_t* x = static_cast<const int32_t*>(last_state[trace.reg]);
                for (int i = 0; i < lanes; i++) out[i] = x[i];
            }
        }
        for (int q = 0; q < n_rings; q++)
            if (ports[q]) std::memset(ports[q] + first, 0, sizeof(int32_t) * padded);
        if (!any_sent) continue;
        const int n = variant.nonzero32(sent, lanes, uint32_t(first), found);
        active.insert(active.end(), found, found + n);
    }
    note_spikes(s, index, false);
}

void Network::note_spikes(Sample& s, int index, bool all_one) const {
    if (!s.keeps_spikes) return;
    const std::vector<uint32_t>& active = s.active[index];
    Spikes& out = s.spikes[index];
    const int32_t* values = s.values[index].data();
    bool plain = out.value.empty();
    if (plain && !all_one)
        for (uint32_t i : active) plain &= values[i] == 1;
    if (!plain) {
        out.value.resize(out.size(), 1);
        for (uint32_t i : active) out.value.push_back(values[i]);
    }
    out.add(active.data(), active.size(), populations[index].is_narrow());
}

constexpr int READ_AT_ONCE = 1024;

// Who of a source is active in a row of its inputs, and with what value.
void Network::read(const std::vector<Feed>& feeds, int source, int sample, int64_t row,
                   std::vector<uint32_t>& active, std::vector<int32_t>& values,
                   bool& too_wide) const {
    active.clear();
    for (const Feed& feed : feeds) {
        if (!feed.to_source || feed.index != source || !feed.has(row)) continue;
        if (int64_t(values.size()) < feed.n) values.resize(feed.n);
        const int64_t from = feed.at(sample, row);
        if (feed.data.width == 1) {
            const int8_t* x = static_cast<const int8_t*>(feed.data.data) + from;
            if (int64_t(active.capacity()) < feed.n) active.reserve(feed.n);
            uint32_t found[READ_AT_ONCE];
            for (int64_t i = 0; i < feed.n; i += READ_AT_ONCE) {
                const int n = int(std::min<int64_t>(READ_AT_ONCE, feed.n - i));
                const int many = chosen_variant().nonzero8(x + i, n, uint32_t(i), found);
                active.insert(active.end(), found, found + many);
            }
            if (values_matter_[source])
                for (uint32_t i : active) values[i] = int32_t(feed.data.at(from + i));
        } else {
            for (int64_t i = 0; i < feed.n; i++) {
                const int64_t x = feed.data.at(from + i);
                if (!x) continue;
                active.push_back(uint32_t(i));
                values[i] = int32_t(x);
                if (values[i] != x) too_wide = true;
            }
        }
    }
}

void Network::advance(Sample& s, int sample, int64_t n, int64_t first,
                      const std::vector<Feed>& feeds, const std::vector<Trace>& traces,
                      bool stop_on_event) const {
    std::vector<uint32_t> active;
    std::vector<int32_t> values;
    std::vector<uint8_t> may;
    for (size_t p = 0; p < populations.size(); p++)
        may.push_back(may_be_calm(s, int(p), n, feeds, traces));
    for (int64_t k = 0; k < n && !s.too_wide; k++) {
        s.done++;
        const int64_t t = s.done, row = first + k;
        for (size_t source = 0; source < source_sizes.size(); source++) {
            if (from_source_[source].empty()) continue;
            bool too_wide = false;
            read(feeds, int(source), sample, row, active, values, too_wide);
            if (too_wide) s.too_wide = t;
            for (int p : from_source_[source])
                deliver(s, projections[p], active.data(), int(active.size()), values.data(), t, alone_, 0);
        }
        for (size_t p = 0; p < populations.size(); p++) {
            drive(s, int(p), sample, t, 0, populations[p].size);
            neurons(s, int(p), sample, row, feeds, traces, may[p]);
            for (int q : from_population_[p])
                deliver(s, projections[q], s.active[p].data(), int(s.active[p].size()),
                        s.values[p].data(), t, alone_, 0);
        }
        if (stop_on_event)
            for (const Counted& c : s.counted)
                if (c.count) return;
    }
}

}  // namespace neuro_lif
