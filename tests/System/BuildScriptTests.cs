using System.Management.Automation.Language;

namespace Appliance.SystemTests;

public sealed class BuildScriptTests
{
    [Fact]
    public void TheScriptForWindows_Parses()
    {
        Parser.ParseFile(Path.Combine(Product.Root, "build.ps1"), out _, out var errors);

        Assert.Empty(errors);
    }
}
