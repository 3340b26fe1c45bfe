// Convolutions and narrow dense rows: what conv.cpp offers, once per instruction set.
#pragma once
#include <cstdint>
#include <vector>

#include "program.hpp"

namespace neuro_lif {

constexpr int CONV_SPARE = 256;  // elements that may be read or written beyond the last one

// Divides whole numbers below 2^31 by one of them, exactly: (n * factor) >> shift.
struct Divisor {
    uint64_t factor = (uint64_t(1) << 31) + 1;
    int shift = 31;
};

struct alignas(64) Bytes64 {
    char bytes[64];
};

// A convolution. Its sums are kept in a plane [group][first direction][second][channel of the
// group]: there, what one spike adds for one row of the kernel lies together.
struct Conv {
    bool channels_first = false;  // neurons are numbered (channel, x, y), else (x, y, channel)
    Divisor last, middle;         // of the presynaptic numbers: the sizes of their last two axes
    uint32_t n_last = 1, n_middle = 1;
    int n_pre_channels = 1;       // of one group
    int groups = 1, x = 1, y = 1, channels = 1;  // of the sums; channels of one group
    int x_in = 1, y_in = 1;       // places of the spikes
    int window = 0, lead = 0;     // places of a row of the kernel, where it can be moved over the
                                  // sums (conv_places.hpp), and where it begins; 0: it cannot
    // Where an input place leads to, by its first and by its second coordinate. Three numbers
    // each: (offset of the weights, row, offset of the sums), (offset, offset of the sums, length)
    const uint32_t *tap_start = nullptr, *run_start = nullptr;
    const int32_t *taps = nullptr, *runs = nullptr;
    const void* weights = nullptr;  // [channel][kernel row][place in the row][channel of the group]
    std::vector<Bytes64> own_weights;
    int width = 1;                  // bytes of a weight
    int full = 0;                   // length of the longest run
    int64_t channel_stride = 0;     // weights of one presynaptic channel
    bool narrow = false;            // sums in 16 bits, which they are known not to leave
    // Spikes may be sorted by rows: their coordinates fit into 16 bits, and are not sorted already.
    bool sortable() const {
        return channels_first && n_last <= 1 << 16 && int64_t(groups) * n_pre_channels <= 1 << 16;
    }
    void find_window();  // conv_shape.cpp
    int64_t n_masks() const { return window ? int64_t((n_pre_channels + 63) / 64) * x_in * y_in : 0; }
    int64_t size() const { return int64_t(groups) * x * y * channels; }
};

struct ConvJob {
    const Conv* conv;
    const uint32_t* active;
    int n_active;
    const int32_t* values;  // by presynaptic neuron; null: 1 each
    void* plane;            // all 0
    uint8_t* touched;       // [group][x_in] all 0, set where there was a spike; then [x] all 0
    int shift;              // sums are multiplied by 2^shift
    int32_t* out;           // by postsynaptic neuron, added to
    uint64_t* masks;        // [channels / 64][x_in][y_in] all 0; null: not wanted
    uint32_t* order;        // room for x_in + 1 numbers and one for each presynaptic neuron; or null
};

struct ConvVariant {
    void (*scatter)(const ConvJob&);        // spikes into the plane
    void (*fold)(const ConvJob&);           // the plane into out; it is all 0 again
    void (*dense_narrow)(const DenseJob&);  // rows of a multiple of 16 weights
};

const ConvVariant& chosen_conv();  // of the chosen variant

}  // namespace neuro_lif
