using System.Security.Cryptography;
using Appliance.Core.Bundles;
using Appliance.Core.Verity;
using ZstdSharp;

namespace Appliance.UpdateClient.Install;

/// <summary>
/// The buffers for one window of a payload (the plain bytes of one frame), used again for other windows. What is done here for
/// one window is independent of all others, so that several windows are worked on at once.
/// </summary>
/// <param name="largestFrame">Bytes of the largest compressed frame there will be.</param>
internal sealed class Window(int largestFrame) : IDisposable
{
    private readonly byte[] _plain = GC.AllocateUninitializedArray<byte>(FrameCompressor.FrameSize);
    private readonly byte[] _leaves = new byte[FrameCompressor.FrameSize / VerityGeometry.BlockSize * VerityGeometry.DigestSize];
    private byte[] _packed = [];
    private Decompressor? _decompressor;

    /// <summary>Number of the window in its payload.</summary>
    public int Index { get; private set; }

    /// <summary>The plain bytes.</summary>
    public Memory<byte> Plain => _plain.AsMemory(0, Length);

    /// <summary>Digests of the plain bytes' blocks for the verity tree.</summary>
    public ReadOnlySpan<byte> Leaves => _leaves.AsSpan(0, Length / VerityGeometry.BlockSize * VerityGeometry.DigestSize);

    /// <summary>The compressed frame that <see cref="Check"/> unpacks, or empty when the plain bytes are there already.</summary>
    public Memory<byte> Packed { get; private set; }

    private int Length { get; set; }

    /// <summary>Begins another window.</summary>
    public void Begin(int index, int length) => (Index, Length, Packed) = (index, length, default);

    /// <summary>Room for a compressed frame.</summary>
    public Memory<byte> BeginPacked(int size)
    {
        if (_packed.Length < size) _packed = GC.AllocateUninitializedArray<byte>(Math.Max(size, largestFrame));
        return Packed = _packed.AsMemory(0, size);
    }

    /// <summary>Unpacks where that is still to do, and compares with the hash; false when the bytes are not the right ones.</summary>
    /// <param name="sha256">The frame's SHA-256, lower-case hex.</param>
    /// <param name="salt">Salt of the verity tree, or null when there is none to be made.</param>
    public bool Check(string sha256, byte[]? salt)
    {
        if (!Packed.IsEmpty && !TryUnpack()) return false;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_plain.AsSpan(0, Length), hash);
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        Convert.FromHexString(sha256, expected, out _, out _);
        if (!hash.SequenceEqual(expected)) return false;
        if (salt is not null) VerityTreeWriter.HashBlocks(_plain.AsSpan(0, Length), salt, _leaves);
        return true;
    }

    public void Dispose() => _decompressor?.Dispose();

    private bool TryUnpack()
    {
        try
        {
            _decompressor ??= new Decompressor();
            return _decompressor.Unwrap(Packed.Span, _plain.AsSpan(0, Length)) == Length;
        }
        catch (ZstdException)
        {
            return false;
        }
    }
}
