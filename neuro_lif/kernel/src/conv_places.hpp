// Spikes of a convolution taken place by place, the channels of a place together, while the sums
// that the place leads to stay in registers: a window of K places in T rows of the output, which
// moves on by one place as the spikes' place does. In an unnamed namespace, as conv_lanes.hpp is.
#pragma once
#include <cstring>
#include <utility>

#include "conv.hpp"
#include "conv_lanes.hpp"

namespace neuro_lif {
namespace {

struct Slide {
    const uint64_t* spikes;  // [place] bits of the channels that spike there
    int n_in, n_out;         // places of the spikes' row, and of a row of the output
    int lead;                // first place of the window, less that of the spikes
    const int8_t* weights;   // of the window's last row: the kernel's rows are in opposite order
    int64_t stride;          // from one channel to the next
    int16_t* sums;           // of the window's first row, in its first place
    int64_t row;             // from one row of the sums to the next
    int pitch;               // from one place to the next, of the sums and of the weights
};

// C: vectors of L sums in a place; 0: not known. Only one of them is done.
template <int L, int T, int K, int C>
struct Window {
    using Sums = typename Lanes<int16_t, L>::type;

    template <int... I>
    static inline __attribute__((always_inline)) void add(Sums* sum, const int8_t* from, int64_t pitch,
                                                          std::integer_sequence<int, I...>) {
        ((sum[I] += widened<Sums>(from + ((T - 1 - I / K) * K + I % K) * pitch)), ...);
    }

    // One place on: the first column leaves the window, the last one is read.
    template <int... I>
    static inline __attribute__((always_inline)) void shift(Sums* sum, std::integer_sequence<int, I...>) {
        ((sum[I / (K - 1) * K + I % (K - 1)] = sum[I / (K - 1) * K + I % (K - 1) + 1]), ...);
    }

    template <int... I>
    static inline __attribute__((always_inline)) void load(Sums* sum, int column, const int16_t* at, int64_t row,
                                                           std::integer_sequence<int, I...>) {
        (std::memcpy(&sum[I * K + column], at + I * row, sizeof(Sums)), ...);
    }

    template <int... I>
    static inline __attribute__((always_inline)) void store(const Sums* sum, int column, int16_t* at, int64_t row,
                                                            std::integer_sequence<int, I...>) {
        (std::memcpy(at + I * row, &sum[I * K + column], sizeof(Sums)), ...);
    }

    template <int... J>
    static inline __attribute__((always_inline)) void begin(Sums* sum, const Slide& s, int64_t pitch,
                                                            std::integer_sequence<int, J...>) {
        using Rows = std::make_integer_sequence<int, T>;
        ((unsigned(s.lead + J) < unsigned(s.n_out)
              ? load(sum, J, s.sums + (s.lead + J) * pitch, s.row, Rows{})
              : void()),
         ...);
    }

    template <int... J>
    static inline __attribute__((always_inline)) void end(const Sums* sum, const Slide& s, int64_t pitch,
                                                          std::integer_sequence<int, J...>) {
        using Rows = std::make_integer_sequence<int, T>;
        const int first = s.lead + s.n_in;
        ((unsigned(first + J) < unsigned(s.n_out)
              ? store(sum, J, s.sums + (first + J) * pitch, s.row, Rows{})
              : void()),
         ...);
    }

    static void run(const Slide& given) {
        const Slide s = given;
        using Rows = std::make_integer_sequence<int, T>;
        using All = std::make_integer_sequence<int, T * K>;
        using Moved = std::make_integer_sequence<int, T * (K - 1)>;
        using Kept = std::make_integer_sequence<int, K - 1>;
        const int64_t pitch = C ? C * L : s.pitch;
        Sums sum[T * K] = {};
        begin(sum, s, pitch, Kept{});
        for (int y = 0; y < s.n_in; y++) {
            const int out = s.lead + y;
            if (unsigned(out + K - 1) < unsigned(s.n_out))
                load(sum, K - 1, s.sums + (out + K - 1) * pitch, s.row, Rows{});
            for (uint64_t left = s.spikes[y]; left; left &= left - 1)
                add(sum, s.weights + __builtin_ctzll(left) * s.stride, pitch, All{});
            if (unsigned(out) < unsigned(s.n_out)) store(sum, 0, s.sums + out * pitch, s.row, Rows{});
            shift(sum, Moved{});
        }
        end(sum, s, pitch, Kept{});
    }
};

template <int L, int T, int K>
inline void slide_rows(const Slide& s) {
    if (s.pitch == L) return Window<L, T, K, 1>::run(s);
    if (s.pitch == 2 * L) return Window<L, T, K, 2>::run(s);
    Window<L, T, K, 0>::run(s);
}

// As many rows of the kernel at a time as there are registers for.
template <int L, int K>
inline int slide_some(const Slide& s, int rows) {
    constexpr int REGISTERS = BYTES == 64 ? 25 : 9;
    if constexpr (5 * K <= REGISTERS)
        if (rows >= 5) return slide_rows<L, 5, K>(s), 5;
    if constexpr (3 * K <= REGISTERS)
        if (rows >= 3) return slide_rows<L, 3, K>(s), 3;
    return slide_rows<L, 1, K>(s), 1;
}

template <int L>
inline int slide_lanes(const Slide& s, int rows, int places) {
    return places == 3 ? slide_some<L, 3>(s, rows) : slide_some<L, 5>(s, rows);
}

constexpr int HALF = BYTES == 64 ? 16 : 8;  // sums of the narrower of two vectors

// Whether a convolution has the shape; and n spikes are so many that it is worth it.
inline bool slides(const ConvJob& job) {
    const Conv& c = *job.conv;
    if (!job.masks || !c.narrow || c.width != 1 || c.channels % HALF) return false;
    return int64_t(job.n_active) * 3 > int64_t(c.x_in) * c.y_in;
}

// Bits of the channels that spike, by place.
inline void mark(const ConvJob& job) {
    const Conv& c = *job.conv;
    const uint32_t places = uint32_t(c.x_in) * uint32_t(c.y_in);
    const uint32_t* at = job.active;
    const uint32_t* const end = at + job.n_active;
    if (!c.channels_first) {
        for (; at != end; at++) {
            const uint32_t place = uint32_t((*at * c.last.factor) >> c.last.shift);
            const uint32_t channel = *at - place * c.n_last;
            job.masks[channel / 64 * places + place] |= uint64_t(1) << channel % 64;
        }
        return;
    }
    for (uint32_t channel = 0, first = 0; at != end; channel++, first += places) {  // they rise
        uint64_t* const masks = job.masks + channel / 64 * places;
        const uint64_t bit = uint64_t(1) << channel % 64;
        for (; at != end && *at - first < places; at++) masks[*at - first] |= bit;
    }
}

inline void scatter_places(const ConvJob& job) {
    const Conv& c = *job.conv;
    mark(job);
    const int words = (c.n_pre_channels + 63) / 64, lanes = c.channels % (BYTES / 2) ? HALF : BYTES / 2;
    Slide s;
    s.n_in = c.y_in;
    s.n_out = c.y;
    s.lead = c.lead;
    s.stride = c.channel_stride;
    s.row = int64_t(c.y) * c.channels;
    s.pitch = c.channels;
    const int64_t kernel_row = int64_t(c.window) * c.channels;
    for (int x = 0; x < c.x_in; x++)
        for (int word = 0; word < words; word++) {
            uint64_t* const spikes = job.masks + (int64_t(word) * c.x_in + x) * c.y_in;
            uint64_t any = 0;
            for (int y = 0; y < c.y_in; y++) any |= spikes[y];
            if (!any) continue;
            job.touched[x] = 1;
            s.spikes = spikes;
            const int32_t *tap = c.taps + 3 * c.tap_start[x], *end = c.taps + 3 * c.tap_start[x + 1];
            while (tap != end) {
                // rows of the kernel that follow each other, as rows of the output do
                int rows = 1;
                for (; tap + 3 * rows != end; rows++)
                    if (tap[3 * rows] != tap[0] - rows * kernel_row || tap[3 * rows + 1] != tap[1] + rows) break;
                rows = rows >= 5 && 5 * c.window <= (BYTES == 64 ? 25 : 9) ? 5 : rows >= 3 && 3 * c.window <= (BYTES == 64 ? 25 : 9) ? 3 : 1;
                for (int first = 0; first < c.channels; first += lanes) {
                    s.weights = static_cast<const int8_t*>(c.weights) + 64 * word * c.channel_stride +
                                tap[3 * (rows - 1)] + first;
                    s.sums = static_cast<int16_t*>(job.plane) + tap[2] + first;
                    if (lanes == HALF)
                        slide_lanes<HALF>(s, rows, c.window);
                    else
                        slide_lanes<BYTES / 2>(s, rows, c.window);
                }
                tap += 3 * rows;
            }
            std::memset(spikes, 0, sizeof(uint64_t) * c.y_in);
        }
}

}  // namespace
}  // namespace neuro_lif
