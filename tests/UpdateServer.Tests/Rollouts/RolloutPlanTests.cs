using Appliance.UpdateServer.Rollouts;

namespace UpdateServer.Tests.Rollouts;

public sealed class RolloutPlanTests
{
    [Theory]
    [InlineData(100, "1%,10%", "1,10,89")]
    [InlineData(3, "1%,10%", "1,1,1")]
    [InlineData(2, "1%,10%", "1,1")]
    [InlineData(10, "100%", "10")]
    [InlineData(10, "4,50%", "4,5,1")]
    [InlineData(10, "", "10")]
    [InlineData(200_000, "0.5%", "1000,199000")]
    public void Sizes_OfGroups(int devices, string groups, string sizes) =>
        Assert.Equal(sizes, string.Join(',', new RolloutPlan { Name = "x", Release = 1, Groups = groups.Split(',', StringSplitOptions.RemoveEmptyEntries) }.Sizes(devices)));
}
