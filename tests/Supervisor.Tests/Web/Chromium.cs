using Microsoft.Playwright;

namespace Supervisor.Tests.Web;

/// <summary>Debian's Chromium, driven by Playwright.</summary>
internal static class Chromium
{
    /// <summary>How long a page may take, in milliseconds: five seconds, Playwright's own, are short for a browser on a loaded machine.</summary>
    public const float Patience = 120_000;

    /// <summary>Starts it.</summary>
    public static Task<IBrowser> LaunchAsync(IPlaywright playwright)
    {
        Assertions.SetDefaultExpectTimeout(Patience);
        return playwright.Chromium.LaunchAsync(new() { ExecutablePath = "/usr/bin/chromium", Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
    }

    /// <summary>Takes a picture for docs/images, when APPLIANCE_SCREENSHOTS asks for it.</summary>
    public static async Task PictureAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("APPLIANCE_SCREENSHOTS") == "1") await page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Folder, "docs", "images", $"{name}.png"), FullPage = true });
    }
}
