// Delivers the spikes of convolutions, and of dense rows that are narrow. Compiled once per
// instruction set, under the rules of blocks.cpp: everything in an unnamed namespace.
#include "conv.hpp"

#include <cstring>

#include "vectors.hpp"

namespace neuro_lif {
namespace {

template <class T, int N>
struct Lanes {
    typedef T type __attribute__((vector_size(N * sizeof(T))));
};

// Ones, then zeros: a vector from k on has ones in all lanes but the last k.
template <class S>
struct Mask {
    alignas(64) S lane[2 * BYTES / sizeof(S)];
    constexpr Mask() : lane{} {
        for (int i = 0; i < int(BYTES / sizeof(S)); i++) lane[i] = -1;
    }
};
template <class S>
constexpr Mask<S> MASK{};

// One vector of weights, as wide as the sums. (Compilers widen in halves, piece by piece, what
// __builtin_convertvector asks for; hence the instructions by name.)
template <class Sums, class W>
inline Sums widened(const W* from) {
    typename Lanes<W, sizeof(Sums) / sizeof(Sums{}[0])>::type stored;
    std::memcpy(&stored, from, sizeof stored);
    return __builtin_convertvector(stored, Sums);
}

using Sums16 = typename Lanes<int16_t, BYTES / 2>::type;
using Sums32 = typename Lanes<int32_t, BYTES / 4>::type;
#if defined(__AVX512BW__)
template <>
inline Sums16 widened(const int8_t* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return Sums16(_mm512_maskz_cvtepi8_epi16(~0u, x));
}
template <>
inline Sums32 widened(const int8_t* from) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return Sums32(_mm512_maskz_cvtepi8_epi32(0xffff, x));
}
template <>
inline Sums32 widened(const int16_t* from) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return Sums32(_mm512_maskz_cvtepi16_epi32(0xffff, x));
}
#elif defined(__AVX2__)
template <>
inline Sums16 widened(const int8_t* from) {
    return Sums16(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
template <>
inline Sums32 widened(const int8_t* from) {
    return Sums32(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
template <>
inline Sums32 widened(const int16_t* from) {
    return Sums32(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
#elif defined(__SSE2__)
template <>
inline Sums16 widened(const int8_t* from) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return Sums16(_mm_srai_epi16(_mm_unpacklo_epi8(x, x), 8));
}
template <>
inline Sums32 widened(const int8_t* from) {
    int32_t four;
    std::memcpy(&four, from, sizeof four);
    const __m128i x = _mm_cvtsi32_si128(four), y = _mm_unpacklo_epi8(x, x);
    return Sums32(_mm_srai_epi32(_mm_unpacklo_epi16(y, y), 24));
}
template <>
inline Sums32 widened(const int16_t* from) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return Sums32(_mm_srai_epi32(_mm_unpacklo_epi16(x, x), 16));
}
#endif

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
    if (job.conv->narrow)
        width == 1 ? scatter_either<int16_t, int8_t, false>(job)
                   : scatter_either<int16_t, int16_t, false>(job);
    else if (width == 1)
        scatter_as<int32_t, int8_t>(job);
    else if (width == 2)
        scatter_as<int32_t, int16_t>(job);
    else
        scatter_as<int32_t, int32_t>(job);
}

// ------------------------------------------------------------------ the plane into the ring

inline int32_t scaled(int32_t x, int shift) { return int32_t(uint32_t(x) << shift); }

// n sums that are numbered as the neurons are.
template <class S>
inline void fold_line(S* __restrict from, int32_t* __restrict out, int64_t n, int shift) {
    for (int64_t i = 0; i < n; i++) {
        out[i] += scaled(from[i], shift);
        from[i] = 0;
    }
}

// A tile of places by channels, one by one.
template <class S>
inline void fold_tile(S* __restrict from, int32_t* __restrict out, int places, int channels,
                      int64_t pitch, int64_t out_pitch, int shift) {
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < places; p++) {
            out[c * out_pitch + p] += scaled(from[p * pitch + c], shift);
            from[p * pitch + c] = 0;
        }
}

#if defined(__SSE2__)
inline void add_four(int32_t* out, __m128i x, __m128i shift) {
    __m128i* at = reinterpret_cast<__m128i*>(out);
    _mm_storeu_si128(at, _mm_add_epi32(_mm_loadu_si128(at), _mm_sll_epi32(x, shift)));
}

inline void add_eight(int32_t* out, __m128i x, __m128i shift) {
#if defined(__AVX2__)
    __m256i* at = reinterpret_cast<__m256i*>(out);
    const __m256i wide = _mm256_sll_epi32(_mm256_cvtepi16_epi32(x), shift);
    _mm256_storeu_si256(at, _mm256_add_epi32(_mm256_loadu_si256(at), wide));
#else
    add_four(out, _mm_srai_epi32(_mm_unpacklo_epi16(x, x), 16), shift);
    add_four(out + 4, _mm_srai_epi32(_mm_unpackhi_epi16(x, x), 16), shift);
#endif
}

// Takes a vector and leaves zeros.
template <class S>
inline __m128i taken(S* from) {
    __m128i* at = reinterpret_cast<__m128i*>(from);
    const __m128i x = _mm_loadu_si128(at);
    _mm_storeu_si128(at, _mm_setzero_si128());
    return x;
}

// EDGE places by EDGE channels, as one vector each.
inline void fold_square(int16_t* from, int32_t* out, int64_t pitch, int64_t out_pitch,
                        __m128i shift) {
    __m128i r[8], s[8];
    for (int k = 0; k < 8; k++) r[k] = taken(from + k * pitch);
    for (int k = 0; k < 4; k++) {
        s[2 * k] = _mm_unpacklo_epi16(r[2 * k], r[2 * k + 1]);
        s[2 * k + 1] = _mm_unpackhi_epi16(r[2 * k], r[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        r[4 * k] = _mm_unpacklo_epi32(s[4 * k], s[4 * k + 2]);
        r[4 * k + 1] = _mm_unpackhi_epi32(s[4 * k], s[4 * k + 2]);
        r[4 * k + 2] = _mm_unpacklo_epi32(s[4 * k + 1], s[4 * k + 3]);
        r[4 * k + 3] = _mm_unpackhi_epi32(s[4 * k + 1], s[4 * k + 3]);
    }
    for (int k = 0; k < 4; k++) {
        add_eight(out + 2 * k * out_pitch, _mm_unpacklo_epi64(r[k], r[k + 4]), shift);
        add_eight(out + (2 * k + 1) * out_pitch, _mm_unpackhi_epi64(r[k], r[k + 4]), shift);
    }
}

inline void fold_square(int32_t* from, int32_t* out, int64_t pitch, int64_t out_pitch,
                        __m128i shift) {
    const __m128i a = taken(from), b = taken(from + pitch), c = taken(from + 2 * pitch),
                  d = taken(from + 3 * pitch);
    const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
    const __m128i AB = _mm_unpackhi_epi32(a, b), CD = _mm_unpackhi_epi32(c, d);
    add_four(out, _mm_unpacklo_epi64(ab, cd), shift);
    add_four(out + out_pitch, _mm_unpackhi_epi64(ab, cd), shift);
    add_four(out + 2 * out_pitch, _mm_unpacklo_epi64(AB, CD), shift);
    add_four(out + 3 * out_pitch, _mm_unpackhi_epi64(AB, CD), shift);
}
#endif

// Places [place][channel] into [channel][place].
template <class S>
inline void fold_across(S* from, int32_t* out, int64_t places, int channels, int64_t out_pitch,
                        int shift) {
    int64_t p = 0;
#if defined(__SSE2__)
    constexpr int EDGE = 16 / sizeof(S), LINE = 16;  // whole cache lines of the output
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (; p + EDGE <= places; p += p + LINE <= places ? LINE : EDGE) {
        const int edges = p + LINE <= places ? LINE / EDGE : 1;
        int c = 0;
        for (; c + EDGE <= channels; c += EDGE)
            for (int e = 0; e < edges; e++)
                fold_square(from + (p + e * EDGE) * channels + c, out + c * out_pitch + p + e * EDGE,
                            channels, out_pitch, by);
        fold_tile(from + p * channels + c, out + c * out_pitch + p, edges * EDGE, channels - c,
                  channels, out_pitch, shift);
    }
#endif
    fold_tile(from + p * channels, out + p, int(places - p), channels, channels, out_pitch, shift);
}

template <class S>
void fold_group(const ConvJob& job, int group, int first, int last) {
    const Conv& c = *job.conv;
    const int64_t row = int64_t(c.y) * c.channels, all = int64_t(c.x) * c.y;
    const int64_t from_place = int64_t(first) * c.y, places = int64_t(last - first) * c.y;
    S* from = static_cast<S*>(job.plane) + group * row * c.x + first * row;
    if (c.channels_first) {
        int32_t* out = job.out + int64_t(group) * c.channels * all + from_place;
        if (c.channels == 1)
            fold_line(from, out, places, job.shift);
        else
            fold_across(from, out, places, c.channels, all, job.shift);
        return;
    }
    const int64_t out_row = int64_t(c.groups) * c.channels;
    int32_t* out = job.out + from_place * out_row + int64_t(group) * c.channels;
    if (c.groups == 1)
        fold_line(from, out, places * c.channels, job.shift);
    else
        for (int64_t p = 0; p < places; p++)
            fold_line(from + p * c.channels, out + p * out_row, c.channels, job.shift);
}

void fold(const ConvJob& job) {
    const Conv& c = *job.conv;
    for (int group = 0; group < c.groups; group++) {
        uint8_t* touched = job.touched + int64_t(c.groups) * c.x_in;  // rows of the plane
        uint8_t* spiked = job.touched + int64_t(group) * c.x_in;
        for (int x = 0; x < c.x_in; x++) {
            if (!spiked[x]) continue;
            spiked[x] = 0;
            for (uint32_t k = c.tap_start[x]; k < c.tap_start[x + 1]; k++)
                touched[c.taps[3 * k + 1]] = 1;
        }
        for (int first = 0; first < c.x;) {
            if (!touched[first]) {
                first++;
                continue;
            }
            int last = first;
            for (; last < c.x && touched[last]; last++) touched[last] = 0;
            if (c.narrow)
                fold_group<int16_t>(job, group, first, last);
            else
                fold_group<int32_t>(job, group, first, last);
            first = last;
        }
    }
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
