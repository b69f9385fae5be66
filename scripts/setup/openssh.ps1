# OpenSSH server, the master's key in it, and the fingerprint to compare at the first connection.

$SshCapability = 'OpenSSH.Server~~~~0.0.1.0'

function Install-SshServer {
    # A server that is there already, from Windows or from an MSI, is taken as it is.
    if ($null -ne (Get-PlainService -Name 'sshd')) {
        return
    }
    try {
        $capability = Get-WindowsCapability -Online -Name $SshCapability -ErrorAction Stop
    } catch {
        throw "Windows did not report whether OpenSSH can be installed: $(Get-InstallRemedy $_)"
    }
    Invoke-Change -Kind 'Capability' -Target $SshCapability -Old ([string]$capability.State) -New 'Installed' -Do {
        try {
            $result = Add-WindowsCapability -Online -Name $SshCapability -ErrorAction Stop
        } catch {
            throw "OpenSSH could not be installed by Windows Update: $(Get-InstallRemedy $_)"
        }
        if ([string](Get-Field $result 'RestartNeeded') -eq 'True' -and $null -eq (Get-PlainService -Name 'sshd')) {
            throw 'OpenSSH is installed after a restart of Windows: restart this machine and run this again.'
        }
    }
}

function Get-InstallRemedy {
    param([Parameter(Mandatory = $true)]$Record)
    $text = Get-ErrorText $Record
    $otherwise = 'Install the MSI of Win32-OpenSSH by hand, or use -Transport winrm.'
    if ($text -match '0x800f0954' -or [string](Get-Field (Get-Field $Record 'Exception') 'HResult') -eq '-2146498220') {
        return "$text This machine gets its updates from a WSUS server, which does not have OpenSSH. Ask its administrator to allow optional features from Windows Update. $otherwise"
    }
    if ($text -match '0x800f0907|0x800f081f|0x8024|0x80072') {
        return "$text Windows Update can't be reached or is forbidden here. $otherwise"
    }
    return "$text $otherwise"
}

function Undo-Capability {
    param([Parameter(Mandatory = $true)]$Entry)
    if ([string]$Entry.old -eq 'Installed') {
        return
    }
    $present = Get-WindowsCapability -Online -Name $Entry.target -ErrorAction Stop
    if (@('Installed', 'InstallPending') -contains [string]$present.State) {
        Remove-WindowsCapability -Online -Name $Entry.target -ErrorAction Stop
    }
}

function Start-SshServer {
    try {
        Set-ServiceRunning -Name 'sshd'
    } catch {
        $text = Get-ErrorText $_
        if ($null -eq (Get-PlainService -Name 'sshd')) {
            throw
        }
        throw "$text $(Get-SshFault) The events of the server: Get-WinEvent -LogName OpenSSH/Operational -MaxEvents 20"
    }
}

function Get-SshFault {
    # What sshd itself says about its configuration.
    foreach ($folder in @("$env:SystemRoot\System32\OpenSSH", "$env:ProgramFiles\OpenSSH")) {
        $program = Join-Path $folder 'sshd.exe'
        if (Test-Path -LiteralPath $program) {
            try {
                Invoke-Native -Program $program -Arguments @('-t') | Out-Null
            } catch {
                return $_.Exception.Message
            }
            return "$program -t finds no fault in sshd_config."
        }
    }
    return 'Run sshd.exe -t to see whether it refuses its configuration.'
}

function Get-SshdConfig {
    # What sshd_config says about ports and about the keys of administrators; the defaults without one.
    $ports = @()
    $keys = $false
    $matched = ''
    $path = Join-Path $env:ProgramData 'ssh\sshd_config'
    $there = Test-Path -LiteralPath $path
    if ($there) {
        foreach ($line in [IO.File]::ReadAllLines($path)) {
            $words = @(($line -replace '#.+$|#$', '').Trim() -split '[\s=]+', 2)
            $value = ''
            if ($words.Count -gt 1) {
                $value = $words[1].Trim().Trim('"')
            }
            switch ($words[0].ToLowerInvariant()) {
                'match' { $matched = $value.ToLowerInvariant() }
                'port' {
                    if (-not $matched -and $value -match '^\d{1,5}$') {
                        $ports += [int]$value
                    }
                }
                'authorizedkeysfile' {
                    if ($value -match 'administrators_authorized_keys' -and ($matched -eq '' -or $matched -match 'administrators|s-1-5-32-544')) {
                        $keys = $true
                    }
                }
            }
        }
    }
    if ($ports.Count -eq 0) {
        $ports = @(22)
    }
    return @{ ports = $ports; administrators = ($keys -or -not $there) }
}

function Get-DefaultShell {
    # The program that sshd starts instead of cmd.exe; empty without one.
    try {
        $item = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\OpenSSH' -Name 'DefaultShell' -ErrorAction Stop
    } catch {
        if (Test-NotFound $_) {
            return ''
        }
        throw
    }
    return [string](Get-Field $item 'DefaultShell')
}

function Write-SshNotes {
    # What of the server's own settings the master has to reckon with.
    param([string]$Key = '')
    $config = Get-SshdConfig
    if ($config.ports[0] -ne 22) {
        Write-Note "sshd_config sets port $($config.ports -join ', '): the firewall rule and the block below have it."
    }
    if ($Key -and -not $config.administrators) {
        Write-Failure "sshd_config does not use administrators_authorized_keys for administrators, so the key has no effect: put it into .ssh\authorized_keys of the user, or add the block 'Match Group administrators' of the file that Windows brings."
    }
    $shell = Get-DefaultShell
    if ($shell) {
        Write-Note "sshd starts $shell instead of cmd.exe (HKLM:\SOFTWARE\OpenSSH, DefaultShell)."
    }
}

function Test-KeyBlob {
    # Whether the base64 text is a key of the type: its first field names it, and its fields fill it exactly.
    param([Parameter(Mandatory = $true)][string]$Type, [Parameter(Mandatory = $true)][string]$Text)
    try {
        $blob = [Convert]::FromBase64String($Text)
    } catch {
        return $false
    }
    $at = 0
    $fields = 0
    while ($at + 4 -le $blob.Length) {
        $size = ([long]$blob[$at] -shl 24) + ([int]$blob[$at + 1] -shl 16) + ([int]$blob[$at + 2] -shl 8) + [int]$blob[$at + 3]
        if ($size -gt $blob.Length - $at - 4) {
            return $false
        }
        if ($fields -eq 0 -and [Text.Encoding]::ASCII.GetString($blob, $at + 4, $size) -cne $Type) {
            return $false
        }
        $at += 4 + $size
        $fields += 1
    }
    $wanted = @{
        'ssh-ed25519' = 2; 'ssh-rsa' = 3; 'sk-ssh-ed25519@openssh.com' = 3; 'sk-ecdsa-sha2-nistp256@openssh.com' = 4
    }
    $count = 3
    if ($wanted.ContainsKey($Type)) {
        $count = $wanted[$Type]
    }
    if ($at -ne $blob.Length -or $fields -ne $count) {
        return $false
    }
    return ($Type -ne 'ssh-ed25519' -or $blob.Length -eq 51)
}

function Get-MasterKey {
    # The key's line, from the line itself or from a file with it; empty when none was given.
    param([string]$Given = '')
    if (-not $Given.Trim()) {
        return ''
    }
    $types = 'ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com'
    $advice = 'On the master, take the line in id_ed25519.pub (never the file without .pub), between double quotes.'
    $text = $Given
    if ($Given.Trim() -notmatch '^(ssh|ecdsa|sk)-\S+(\s|$)' -and $Given -notmatch 'PRIVATE KEY') {
        try {
            $path = (Resolve-Path -LiteralPath $Given -ErrorAction Stop).ProviderPath
        } catch {
            throw "-PublicKey is neither a public SSH key nor a file that is there: $(Get-Shown $Given). $advice"
        }
        if (Test-Path -LiteralPath $path -PathType Container) {
            throw "-PublicKey $path is a folder. Name the file with the key in it."
        }
        $text = [IO.File]::ReadAllText($path)
    }
    $lines = @($text -split '\r\n|\r|\n' | ForEach-Object { $_.Trim() } | Where-Object { $_ })
    if ($lines.Count -gt 1 -and @($lines | Where-Object { $_ -match "^(?:$types)\s" }).Count -gt 1) {
        throw "-PublicKey has $($lines.Count) keys. Give the one of the master."
    }
    if ($lines.Count -ne 1) {
        throw "That is not a public SSH key. $advice"
    }
    $found = [regex]::Match($lines[0], "^($types)[ \t]+([A-Za-z0-9+/=]+)(?:[ \t]+(.+))?$")
    if (-not $found.Success -or $lines[0] -match '[\x00-\x08\x0b-\x1f\x7f]') {
        throw "That is not a public SSH key. $advice"
    }
    $type = $found.Groups[1].Value
    if (-not (Test-KeyBlob -Type $type -Text $found.Groups[2].Value)) {
        throw "That is not a whole key of the type ${type}: a part is missing or was changed. $advice"
    }
    return (@($type, $found.Groups[2].Value, $found.Groups[3].Value | Where-Object { $_ }) -join ' ')
}

function Get-KeyLines {
    # The lines of the key file as text, for comparison only.
    param([Parameter(Mandatory = $true)][string]$Path)
    return @((New-Object Text.UTF8Encoding($false)).GetString([IO.File]::ReadAllBytes($Path)) -split '\r\n|\r|\n' | ForEach-Object { $_.Trim([char]0xFEFF) })
}

function Install-MasterKey {
    # Members of Administrators log in with this file, whatever their own authorized_keys says.
    param([string]$Line = '')
    if (-not $Line) {
        Write-Note 'no -PublicKey was given: the master will ask for a password.'
        return
    }
    $path = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
    $existed = Test-Path -LiteralPath $path
    $sddl = $null
    if ($existed) {
        $sddl = Get-PlainRights -Path $path
    }
    if (-not $existed -or (Get-KeyLines -Path $path) -notcontains $Line) {
        $size = 0
        if ($existed) {
            $size = (Get-Item -LiteralPath $path -Force -ErrorAction Stop).Length
            $bytes = [IO.File]::ReadAllBytes($path)
            if ($size -ge 2 -and (($bytes[0] -eq 255 -and $bytes[1] -eq 254) -or ($bytes[0] -eq 254 -and $bytes[1] -eq 255))) {
                throw "$path is UTF-16 text, which sshd can't read. Save it as UTF-8 and run this again."
            }
        }
        $present = [ordered]@{ existed = $existed; bytes = [long]$size }
        Invoke-Change -Kind 'AuthorizedKey' -Target $path -Old $present -New $Line -Do {
            $text = "$Line`r`n"
            if (-not (Test-EndsInNewLine -Path $path)) {
                $text = "`r`n$text"
            }
            # Other people's lines may be in any code page: bytes are added, and nothing is read and written anew.
            Add-Bytes -Path $path -Bytes ((New-Object Text.UTF8Encoding($false)).GetBytes($text))
        }
    }
    if (-not (Test-KeyFileProtected -Path $path)) {
        Invoke-Change -Kind 'KeyFileRights' -Target $path -Old $sddl -New 'Administrators and SYSTEM only' -Do {
            Protect-KeyFile -Path $path
        }
    }
}

function Undo-AuthorizedKey {
    # Takes the very bytes away that were added; where the file was edited since, the line.
    param([Parameter(Mandatory = $true)]$Entry)
    $path = [string]$Entry.target
    if (-not (Test-Path -LiteralPath $path)) {
        return
    }
    $bytes = [IO.File]::ReadAllBytes($path)
    $line = (New-Object Text.UTF8Encoding($false)).GetBytes([string]$Entry.new)
    $start = Find-Bytes -Bytes $bytes -Line $line
    if ($start -ge 0) {
        $end = $start + $line.Length
        while ($end -lt $bytes.Length -and ($bytes[$end] -eq 13 -or $bytes[$end] -eq 10)) {
            $end += 1
            if ($bytes[$end - 1] -eq 10) {
                break
            }
        }
        # The line end before it was added with it when the file ended without one.
        $before = Get-Field $Entry.old 'bytes'
        if ($null -ne $before -and [long]$before -eq $start - 2 -and $bytes[$start - 2] -eq 13 -and $bytes[$start - 1] -eq 10) {
            $start = [int]$before
        }
        $kept = New-Object byte[] ($bytes.Length - ($end - $start))
        [Array]::Copy($bytes, 0, $kept, 0, $start)
        [Array]::Copy($bytes, $end, $kept, $start, $bytes.Length - $end)
        $bytes = $kept
        [IO.File]::WriteAllBytes($path, $bytes)
    }
    if ($bytes.Length -eq 0 -and -not $Entry.old.existed) {
        Remove-Item -LiteralPath $path -Force -ErrorAction Stop
    }
}

function Find-Bytes {
    # Where a line with these bytes begins; -1 without one.
    param([Parameter(Mandatory = $true)][AllowEmptyCollection()][byte[]]$Bytes, [Parameter(Mandatory = $true)][byte[]]$Line)
    for ($at = $Bytes.Length - $Line.Length; $at -ge 0; $at--) {
        if ($Bytes[$at] -ne $Line[0] -or ($at -gt 0 -and $Bytes[$at - 1] -ne 10)) {
            continue
        }
        $after = $at + $Line.Length
        if ($after -lt $Bytes.Length -and $Bytes[$after] -ne 13 -and $Bytes[$after] -ne 10) {
            continue
        }
        $same = $true
        for ($index = 0; $index -lt $Line.Length -and $same; $index++) {
            $same = $Bytes[$at + $index] -eq $Line[$index]
        }
        if ($same) {
            return $at
        }
    }
    return -1
}

function Test-KeyFileProtected {
    # sshd refuses a key file that anybody but Administrators and SYSTEM owns or may touch, in whatever language
    # the machine calls them.
    param([Parameter(Mandatory = $true)][string]$Path)
    if (-not (Test-Path -LiteralPath $Path)) {
        return $false
    }
    $known = @('BA', 'SY', 'S-1-5-32-544', 'S-1-5-18')
    $sddl = Get-PlainRights -Path $Path
    $entries = @([regex]::Matches($sddl, '\(([^)]+)\)') | ForEach-Object { @($_.Groups[1].Value -split ';')[5] })
    $foreign = @($entries | Where-Object { $known -notcontains $_ })
    return ($known -contains (Get-Owner -Sddl $sddl) -and $sddl -match 'D:P' -and $entries.Count -gt 0 -and $foreign.Count -eq 0)
}

function Protect-KeyFile {
    param([Parameter(Mandatory = $true)][string]$Path)
    Restore-Rights -Path $Path -Sddl 'O:BAD:P(A;;FA;;;BA)(A;;FA;;;SY)'
}

function Undo-KeyFileRights {
    param([Parameter(Mandatory = $true)]$Entry)
    if ($null -eq $Entry.old -or -not (Test-Path -LiteralPath $Entry.target)) {
        return
    }
    Restore-Rights -Path $Entry.target -Sddl ([string]$Entry.old)
}

function Get-HostKeyFingerprint {
    # As ssh-keygen and dtui show it; empty before the server's first start.
    $public = Join-Path $env:ProgramData 'ssh\ssh_host_ed25519_key.pub'
    if (-not (Test-Path -LiteralPath $public)) {
        return ''
    }
    $words = @(([IO.File]::ReadAllText($public)).Trim() -split '\s+')
    if ($words.Count -lt 2) {
        return ''
    }
    $digest = [Security.Cryptography.SHA256]::Create().ComputeHash([Convert]::FromBase64String($words[1]))
    return 'SHA256:' + [Convert]::ToBase64String($digest).TrimEnd('=')
}
