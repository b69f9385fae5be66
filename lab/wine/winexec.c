/* Starts a Windows command line the way a login service does: in a job object, with the caller's pipes.
 *
 *   winexec ssh STDERR STATUS FOLDER     Win32-OpenSSH: the job's only handle is in the started process,
 *                                        so that the job ends with it; a lost client ends nothing.
 *   winexec winrm STDERR STATUS FOLDER   WinRM's host: the handle stays here, so that ending us ends the job.
 *   winexec hold                         Sleeps, which keeps the Wine session's services running.
 *
 * The command line is in the variable WINEXEC_LINE. A variable WINSET_X is handed on as X: Wine itself
 * would overwrite USERPROFILE and its like. STDERR is a file to write standard error to, because a Unix
 * descriptor 2 would be inherited by every descendant. STATUS is the file that receives the exit code,
 * of which a Unix status keeps 8 bits only. Children may break away from the job, as both services allow.
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define ROOM 32768

static int fail(const char *what)
{
    fprintf(stderr, "winexec: %s failed with error %lu\n", what, GetLastError());
    return 250;
}

static HANDLE writable(const wchar_t *path, DWORD disposition)
{
    SECURITY_ATTRIBUTES inherited = { sizeof inherited, NULL, TRUE };
    return CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, disposition, 0, NULL);
}

static void hand_on_variables(void)
{
    static const wchar_t prefix[] = L"WINSET_";
    size_t skip = wcslen(prefix);
    wchar_t *block = GetEnvironmentStringsW(), *entry;
    for (entry = block; *entry; entry += wcslen(entry) + 1) {
        wchar_t *copy, *value;
        if (wcsncmp(entry, prefix, skip)) continue;
        copy = _wcsdup(entry);
        value = wcschr(copy, L'=');
        *value++ = 0;
        SetEnvironmentVariableW(copy + skip, *value ? value : NULL);
        SetEnvironmentVariableW(copy, NULL);
        free(copy);
    }
    FreeEnvironmentStringsW(block);
}

int wmain(int argc, wchar_t **argv)
{
    static wchar_t line[ROOM];
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = { 0 };
    STARTUPINFOW startup = { sizeof startup };
    PROCESS_INFORMATION process;
    HANDLE job, given, status;
    DWORD code = 255;
    char text[16];

    if (argc == 2 && !wcscmp(argv[1], L"hold")) Sleep(INFINITE);
    if (argc != 5 || !GetEnvironmentVariableW(L"WINEXEC_LINE", line, ROOM)) return 251;
    SetEnvironmentVariableW(L"WINEXEC_LINE", NULL);
    hand_on_variables();

    job = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    if (!job || !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits))
        return fail("the job object");

    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = writable(argv[2], OPEN_EXISTING);
    if (startup.hStdError == INVALID_HANDLE_VALUE) return fail("opening standard error");
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, argv[4],
                        &startup, &process))
        return fail("CreateProcess");
    if (!AssignProcessToJobObject(job, process.hProcess)) return fail("AssignProcessToJobObject");
    if (!wcscmp(argv[1], L"ssh")) {
        DuplicateHandle(GetCurrentProcess(), job, process.hProcess, &given, 0, FALSE, DUPLICATE_SAME_ACCESS);
        CloseHandle(job);
    }
    ResumeThread(process.hThread);
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdOutput);
    CloseHandle(startup.hStdError);

    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    status = writable(argv[3], CREATE_ALWAYS);
    if (status == INVALID_HANDLE_VALUE) return fail("opening the status file");
    snprintf(text, sizeof text, "%lu", code);
    WriteFile(status, text, (DWORD)strlen(text), &code, NULL);
    CloseHandle(status);
    return 0;
}
