using Appliance.Core.Chunks;

namespace Core.Tests.Chunks;

public sealed class AddressFilterTests
{
    [Theory]
    [InlineData(MachineCode.X64)]
    [InlineData(MachineCode.Arm64)]
    public void What_is_filtered_comes_back(MachineCode code)
    {
        var random = new Random(1);
        byte[] likely = [0xE8, 0xE9, 0x8D, 0x8B, 0x05, 0x0D, 0x0F, 0x84, 0x00, 0xFF, 0x01, 0xFE, 0x90, 0x94, 0x97, 0xB0];
        for (var run = 0; run < 5_000; run++)
        {
            var chunk = new byte[random.Next(0, 300)];
            for (var i = 0; i < chunk.Length; i++) chunk[i] = random.Next(4) == 0 ? (byte)random.Next(256) : likely[random.Next(likely.Length)];
            var offset = random.NextInt64(1L << 35);
            var filtered = (byte[])chunk.Clone();
            AddressFilter.MakeAbsolute(code, filtered, offset);
            AddressFilter.MakeRelative(code, filtered, offset);
            Assert.Equal(chunk, filtered);
        }
    }

    [Fact]
    public void Two_calls_of_one_function_look_alike()
    {
        // call 0x2000 from 0x1000 and from 0x1010
        byte[] first = [0x90, 0xE8, 0xFA, 0x0F, 0, 0], second = [0x90, 0xE8, 0xEA, 0x0F, 0, 0];
        AddressFilter.MakeAbsolute(MachineCode.X64, first, 0x1000);
        AddressFilter.MakeAbsolute(MachineCode.X64, second, 0x1010);
        Assert.Equal([0x90, 0xE8, 0, 0, 0x20, 0], first);
        Assert.Equal(first, second);
    }

    [Fact]
    public void Two_branches_to_one_function_look_alike()
    {
        // bl 0x2000 from 0x1000 and from 0x1004
        byte[] first = [0x00, 0x04, 0x00, 0x94], second = [0xFF, 0x03, 0x00, 0x94];
        AddressFilter.MakeAbsolute(MachineCode.Arm64, first, 0x1000);
        AddressFilter.MakeAbsolute(MachineCode.Arm64, second, 0x1004);
        Assert.Equal(first, second);
    }
}
