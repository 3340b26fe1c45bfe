// Delivers the spikes of convolutions, and of dense rows that are narrow. Compiled once per
// instruction set, under the rules of blocks.cpp: everything in an unnamed namespace.
#include "conv.hpp"

#include <cstring>

#include "conv_fold.hpp"
#include "conv_lanes.hpp"
#include "conv_places.hpp"
#include "vectors.hpp"

namespace neuro_lif {
namespace {

// Adds one vector of weights to one of sums; only the first lanes of it where MASKED.
template <bool GRADED, bool MASKED, class S, class W, class Sums>
inline void add_vector(S* out, const W* weights, const Sums& mask, int32_t factor) {
    Sums sums, wide = widened<Sums>(weights);
    std::memcpy(&sums, out, sizeof sums);
    if (MASKED) wide &= mask;
    sums += GRADED ? wide * S(factor) : wide;
    std::memcpy(out, &sums, sizeof sums);
}

struct Span {  // of the tables of Conv: three numbers for each entry
    const int32_t *first, *end;
};

// Adds a run of n weights for each tap of a spike. The last vector is written whole, with zeros
// added beyond n. V: vectors of a run; 0: not known.
template <class S, class W, bool GRADED, int V>
inline void add_taps(S* sums, const W* weights, Span taps, int n, int32_t factor) {
    constexpr int L = BYTES / sizeof(S);
    using Sums = typename Lanes<S, L>::type;
    const int vectors = V ? V : (n + L - 1) / L;
    Sums mask;
    std::memcpy(&mask, MASK<S>.lane + vectors * L - n, sizeof mask);
    for (const int32_t* tap = taps.first; tap != taps.end; tap += 3) {
        S* out = sums + tap[2];
        const W* from = weights + tap[0];
        for (int v = 0; v < vectors - 1; v++)
            add_vector<GRADED, false>(out + v * L, from + v * L, mask, factor);
        add_vector<GRADED, true>(out + (vectors - 1) * L, from + (vectors - 1) * L, mask, factor);
    }
}

template <class S, class W, bool GRADED>
inline void add_run(S* sums, const W* weights, Span taps, int n, int32_t factor) {
    constexpr int L = BYTES / sizeof(S);
    switch ((n + L - 1) / L) {
        case 1: return add_taps<S, W, GRADED, 1>(sums, weights, taps, n, factor);
        case 2: return add_taps<S, W, GRADED, 2>(sums, weights, taps, n, factor);
        case 3: return add_taps<S, W, GRADED, 3>(sums, weights, taps, n, factor);
        case 4: return add_taps<S, W, GRADED, 4>(sums, weights, taps, n, factor);
        case 5: return add_taps<S, W, GRADED, 5>(sums, weights, taps, n, factor);
        case 6: return add_taps<S, W, GRADED, 6>(sums, weights, taps, n, factor);
        default: return add_taps<S, W, GRADED, 0>(sums, weights, taps, n, factor);
    }
}

struct Place {
    uint32_t channel, x, y;
};

inline uint32_t divided(uint32_t n, const Divisor& by) { return uint32_t((n * by.factor) >> by.shift); }

inline Place place_of(const Conv& c, uint32_t neuron) {
    const uint32_t q = divided(neuron, c.last);
    const uint32_t rest = neuron - q * c.n_last;
    const uint32_t first = divided(q, c.middle), second = q - first * c.n_middle;
    return c.channels_first ? Place{first, second, rest} : Place{rest, first, second};
}

// One spike into the plane; taps: of its row.
template <class S, class W, bool GRADED>
inline void scatter_one(const ConvJob& job, Span taps, uint32_t channel, uint32_t x, uint32_t y,
                        int32_t factor) {
    const Conv& c = *job.conv;
    const uint32_t group = c.groups == 1 ? 0 : channel / uint32_t(c.n_pre_channels);
    const W* own = static_cast<const W*>(c.weights) + channel * c.channel_stride;
    S* sums = static_cast<S*>(job.plane) + group * (int64_t(c.x) * c.y * c.channels);
    job.touched[group * uint32_t(c.x_in) + x] = 1;
    const Span runs{c.runs + 3 * c.run_start[y], c.runs + 3 * c.run_start[y + 1]};
    for (const int32_t* run = runs.first; run != runs.end; run += 3)
        add_run<S, W, GRADED>(sums + run[1], own + run[0], taps, run[2], factor);
}

inline Span taps_of(const Conv& c, uint32_t x) {
    return {c.taps + 3 * c.tap_start[x], c.taps + 3 * c.tap_start[x + 1]};
}

// In the order of the neurons.
template <class S, class W, bool GRADED>
void scatter_all(const ConvJob& job) {
    for (int k = 0; k < job.n_active; k++) {
        const uint32_t neuron = job.active[k];
        const Place at = place_of(*job.conv, neuron);
        scatter_one<S, W, GRADED>(job, taps_of(*job.conv, at.x), at.channel, at.x, at.y,
                                  GRADED ? job.values[neuron] : 1);
    }
}

// The spikes of one row, channel in the upper half of a number and second coordinate in the lower.
// Each adds for every tap one run in V vectors, zeros where it is shorter: no branch depends on
// where a spike stands. V = 0: runs of any length.
template <class S, class W, bool GRADED, int V>
void scatter_row(const ConvJob& job, uint32_t x, const uint32_t* first, const uint32_t* end) {
    // Copies: for all the compiler knows, sums are added to what job leads to.
    const Conv& c = *job.conv;
    const Span taps = taps_of(c, x);
    constexpr int L = BYTES / sizeof(S);
    using Sums = typename Lanes<S, L>::type;
    const bool plain = V && c.groups == 1;
    S* const plane = static_cast<S*>(job.plane);
    const W* const weights = static_cast<const W*>(c.weights);
    const uint32_t* const starts = c.run_start;
    const int32_t *const runs = c.runs, *const values = job.values;
    const int64_t stride = c.channel_stride;
    const uint32_t first_neuron = x * c.n_last, of_channel = c.n_middle * c.n_last;
    if (plain && first != end) job.touched[x] = 1;
    for (const uint32_t* at = first; at != end; at++) {
        const uint32_t channel = *at >> 16, y = *at & 0xffff, start = starts[y];
        const int32_t factor = GRADED ? values[channel * of_channel + first_neuron + y] : 1;
        if (!plain || starts[y + 1] != start + 1) {
            scatter_one<S, W, GRADED>(job, taps, channel, x, y, factor);
            continue;
        }
        const int32_t* run = runs + 3 * start;
        S* const out = plane + run[1];
        const W* const from = weights + channel * stride + run[0];
        Sums mask[V ? V : 1];
        for (int v = 0; v < V; v++) {
            const int beyond = (v + 1) * L - run[2];
            std::memcpy(&mask[v], MASK<S>.lane + (beyond < 0 ? 0 : beyond > L ? L : beyond), sizeof mask[v]);
        }
        for (const int32_t* tap = taps.first; tap != taps.end; tap += 3) {
            const W* const own = from + tap[0];
            S* const sums = out + tap[2];
            for (int v = 0; v < V; v++)
                add_vector<GRADED, true>(sums + v * L, own + v * L, mask[v], factor);
        }
    }
}

template <class S, class W, bool GRADED>
auto row_of(const Conv& c) {
    constexpr int L = BYTES / sizeof(S);
    switch ((c.full + L - 1) / L) {
        case 1: return scatter_row<S, W, GRADED, 1>;
        case 2: return scatter_row<S, W, GRADED, 2>;
        case 3: return scatter_row<S, W, GRADED, 3>;
        case 4: return scatter_row<S, W, GRADED, 4>;
        case 5: return scatter_row<S, W, GRADED, 5>;
        case 6: return scatter_row<S, W, GRADED, 6>;
        default: return scatter_row<S, W, GRADED, 0>;
    }
}

// Row by row of all channels together, so that the sums of few rows are in use at a time. Within a
// row channel by channel: two spikes of one place would wait for each other's sums.
template <class S, class W, bool GRADED>
void scatter_rows(const ConvJob& job) {
    const Conv& c = *job.conv;
    uint32_t* next = job.order;  // where a row's next spike goes
    uint32_t* sorted = job.order + c.x_in + 1;
    std::memset(next, 0, sizeof(uint32_t) * (c.x_in + 1));
    for (int k = 0; k < job.n_active; k++) next[place_of(c, job.active[k]).x + 1]++;
    for (int x = 0; x < c.x_in; x++) next[x + 1] += next[x];
    for (int k = 0; k < job.n_active; k++) {
        const Place at = place_of(c, job.active[k]);
        sorted[next[at.x]++] = at.channel << 16 | at.y;
    }
    const auto row = row_of<S, W, GRADED>(c);
    const uint32_t* first = sorted;
    for (int x = 0; x < c.x_in; x++) {
        const uint32_t* end = sorted + next[x];
        row(job, x, first, end);
        first = end;
    }
}

template <class S, class W, bool GRADED>
void scatter_either(const ConvJob& job) {
    if (job.order && job.n_active > job.conv->x_in)
        scatter_rows<S, W, GRADED>(job);
    else
        scatter_all<S, W, GRADED>(job);
}

template <class S, class W>
void scatter_as(const ConvJob& job) {
    if (job.values)
        scatter_either<S, W, true>(job);
    else
        scatter_either<S, W, false>(job);
}

void scatter(const ConvJob& job) {
    const int width = job.conv->width;
    if (slides(job))
        scatter_places(job);
    else if (job.conv->narrow)
        width == 1 ? scatter_either<int16_t, int8_t, false>(job)
                   : scatter_either<int16_t, int16_t, false>(job);
    else if (width == 1)
        scatter_as<int32_t, int8_t>(job);
    else if (width == 2)
        scatter_as<int32_t, int16_t>(job);
    else
        scatter_as<int32_t, int32_t>(job);
}

// ------------------------------------------------------------------ narrow dense rows

constexpr int NARROW = 16;
constexpr int AHEAD = 16;

// S holds the sum of so many weights.
template <class S, class W>
void dense_columns(const DenseJob& job, int from, int many) {
    using Sums = typename Lanes<S, NARROW>::type;
    using Weights = typename Lanes<W, NARROW>::type;
    using Wide = typename Lanes<int32_t, NARROW>::type;
    const W* rows = static_cast<const W*>(job.rows) + from;
    Wide total{};
    for (int first = 0; first < job.n_active; first += many) {
        const int last = job.n_active - first < many ? job.n_active : first + many;
        Sums sums{};
        for (int k = first; k < last; k++) {
            if (k + AHEAD < job.n_active) __builtin_prefetch(rows + job.active[k + AHEAD] * job.stride);
            Weights row;
            std::memcpy(&row, rows + job.active[k] * job.stride, sizeof row);
            sums += __builtin_convertvector(row, Sums);
        }
        total += __builtin_convertvector(sums, Wide);
    }
    const int n = job.n_post - from < NARROW ? job.n_post - from : NARROW;
    for (int j = 0; j < n; j++) job.out[from + j] += scaled(total[j], job.shift);
}

void dense_narrow(const DenseJob& job) {
    for (int from = 0; from < job.n_post; from += NARROW) {
        if (job.width == 1)
            dense_columns<int16_t, int8_t>(job, from, 252);
        else if (job.width == 2)
            dense_columns<int32_t, int16_t>(job, from, 1 << 30);
        else
            dense_columns<int32_t, int32_t>(job, from, 1 << 30);
    }
}

}  // namespace

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
extern const ConvVariant CAT(conv_, VARIANT);
const ConvVariant CAT(conv_, VARIANT) = {scatter, fold, dense_narrow};

}  // namespace neuro_lif
