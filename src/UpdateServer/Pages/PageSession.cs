using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Pages;

/// <summary>Who has logged in: a cookie with a key that ends soon. Any server of a fleet's database knows it, and it ends with the key that it was begun with.</summary>
internal static class PageSession
{
    private const string Cookie = "__Host-fleet";

    /// <summary>Whose session a request shows.</summary>
    public static async Task<ApiKey?> FindAsync(HttpContext http, KeyAuthentication keys) =>
        http.Request.Cookies[Cookie] is { Length: > 0 } text ? await keys.FindAsync(text, http.RequestAborted) : null;

    /// <summary>Begins one.</summary>
    public static async Task BeginAsync(HttpContext http, KeyAuthentication keys, ApiKey key) =>
        http.Response.Cookies.Append(Cookie, await keys.LogInAsync(key, http.RequestAborted), Options(KeyAuthentication.Session));

    /// <summary>Ends one.</summary>
    public static async Task EndAsync(HttpContext http, KeyAuthentication keys, ApiKey session)
    {
        await keys.LogOutAsync(session, http.RequestAborted);
        http.Response.Cookies.Delete(Cookie, Options(null));
    }

    /// <summary>Whether a form was sent by a page of this server: browsers say it, and others' pages cannot say otherwise (Fetch, 3.1).</summary>
    public static bool IsFromHere(HttpRequest request) =>
        request.Headers.Origin.ToString() is { Length: > 0 } origin ? origin == $"{request.Scheme}://{request.Host}" : request.Headers["Sec-Fetch-Site"] == "same-origin";

    private static CookieOptions Options(TimeSpan? life) => new() { HttpOnly = true, Secure = true, SameSite = SameSiteMode.Strict, Path = "/", MaxAge = life };
}
