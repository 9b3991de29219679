namespace Appliance.Core.Chunks;

/// <summary>How often every decision of the frame coder went which way, for each kind of frames.</summary>
internal sealed class FrameCounts
{
    public int[] Zeros { get; } = new int[FrameModel.Sets * FrameModel.Size];

    public int[] Ones { get; } = new int[FrameModel.Sets * FrameModel.Size];

    /// <summary>Adds other counts; the order does not matter.</summary>
    public void Add(FrameCounts other)
    {
        for (var i = 0; i < Zeros.Length; i++)
        {
            Zeros[i] += other.Zeros[i];
            Ones[i] += other.Ones[i];
        }
    }
}
