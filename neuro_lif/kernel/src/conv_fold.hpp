// Moves the sums of a convolution from its plane to the neurons. In an unnamed namespace: conv.cpp
// includes it, which is compiled once per instruction set.
#pragma once
#include "conv.hpp"
#include "vectors.hpp"

namespace neuro_lif {
namespace {

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

}  // namespace
}  // namespace neuro_lif
