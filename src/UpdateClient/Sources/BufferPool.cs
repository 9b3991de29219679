namespace Appliance.UpdateClient.Sources;

/// <summary>
/// Large buffers that are used again. Unlike the shared array pool it does not round sizes up to powers of two and keeps
/// only a few, because what it keeps is the memory the client takes.
/// </summary>
internal sealed class BufferPool(int most)
{
    private const int Step = 64 << 10;
    private readonly List<byte[]> _free = [];

    /// <summary>A buffer of at least this length, with any content.</summary>
    public byte[] Rent(int length)
    {
        lock (_free)
        {
            var best = -1;
            for (var i = 0; i < _free.Count; i++)
                if (_free[i].Length >= length && (best < 0 || _free[i].Length < _free[best].Length)) best = i;
            if (best >= 0)
            {
                var buffer = _free[best];
                _free.RemoveAt(best);
                return buffer;
            }
        }
        return GC.AllocateUninitializedArray<byte>((length + Step - 1) / Step * Step);
    }

    /// <summary>Takes a buffer back; the smallest are dropped when there are too many.</summary>
    public void Return(byte[] buffer)
    {
        lock (_free)
        {
            _free.Add(buffer);
            if (_free.Count > most) _free.Remove(_free.MinBy(free => free.Length)!);
        }
    }
}
