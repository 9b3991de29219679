using Appliance.Core.Updates;

namespace Core.Tests.Updates;

public sealed class MaintenanceWindowTests
{
    private static DateTime At(string text) => DateTime.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("02:00-04:00", "2026-11-25T02:00", true)]
    [InlineData("02:00-04:00", "2026-11-25T04:00", false)]
    [InlineData("22:00-05:30", "2026-11-25T23:59", true)]
    [InlineData("22:00-05:30", "2026-11-25T05:29", true)]
    [InlineData("22:00-05:30", "2026-11-25T05:30", false)]
    [InlineData("Fri 22:00-05:30", "2026-11-28T03:00", true)] // a Saturday
    [InlineData("Fri 22:00-05:30", "2026-11-27T03:00", false)]
    [InlineData("Sat-Mon 00:00-24:00", "2026-11-29T12:00", true)]
    [InlineData("Sat-Mon 00:00-24:00", "2026-11-24T12:00", false)]
    [InlineData("Sat,Wed 10:00-11:00", "2026-11-25T10:30", true)]
    public void Contains_IsTrueWithin(string window, string moment, bool expected) => Assert.Equal(expected, MaintenanceWindow.TryParse(window)!.Contains(At(moment)));

    [Theory]
    [InlineData("02:00-04:00", "2026-11-25T03:00", "2026-11-25T03:00")]
    [InlineData("02:00-04:00", "2026-11-25T04:00", "2026-11-26T02:00")]
    [InlineData("Sun 02:00-04:00", "2026-11-25T04:00", "2026-11-29T02:00")]
    public void NextOpening_IsNowOrLater(string window, string moment, string expected) => Assert.Equal(At(expected), MaintenanceWindow.TryParse(window)!.NextOpening(At(moment)));

    [Theory]
    [InlineData("")]
    [InlineData("always")]
    [InlineData("2:00-4:00")]
    [InlineData("02:00-02:00")]
    [InlineData("24:00-02:00")]
    [InlineData("02:60-03:00")]
    [InlineData("Son 02:00-04:00")]
    [InlineData("Mon-Wed-Fri 02:00-04:00")]
    [InlineData("Mon 02:00-04:00 05:00-06:00")]
    public void TryParse_RefusesWhatIsNoWindow(string text) => Assert.Null(MaintenanceWindow.TryParse(text));
}
