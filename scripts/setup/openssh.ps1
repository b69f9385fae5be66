# OpenSSH server, the master's key in it, and the fingerprint to compare at the first connection.

$SshCapability = 'OpenSSH.Server~~~~0.0.1.0'

function Install-SshServer {
    # A server that is there already, from Windows or from an MSI, is taken as it is.
    if ($null -ne (Get-Service -Name 'sshd' -ErrorAction SilentlyContinue)) {
        return
    }
    $capability = Get-WindowsCapability -Online -Name $SshCapability
    Invoke-Change -Kind 'Capability' -Target $SshCapability -Old ([string]$capability.State) -New 'Installed' -Do {
        try {
            Add-WindowsCapability -Online -Name $SshCapability
        } catch {
            throw "OpenSSH could not be installed by Windows Update: $($_.Exception.Message) Install the MSI of Win32-OpenSSH by hand, or use -Transport winrm."
        }
    }
}

function Undo-Capability {
    param([Parameter(Mandatory = $true)]$Entry)
    if ([string]$Entry.old -ne 'Installed') {
        Remove-WindowsCapability -Online -Name $Entry.target
    }
}

function Get-MasterKey {
    # The key's line, from the line itself or from a file with it; empty when none was given.
    param([string]$Given = '')
    if (-not $Given) {
        return ''
    }
    $line = $Given
    if (Test-Path -LiteralPath $Given -ErrorAction SilentlyContinue) {
        $line = [IO.File]::ReadAllText((Resolve-Path -LiteralPath $Given).ProviderPath)
    }
    $line = $line.Trim()
    if ($line -notmatch '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( [^\r\n]+)?$') {
        throw 'That is not a public SSH key. On the master, take the line in id_ed25519.pub (never the file without .pub).'
    }
    return $line
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
    $lines = @()
    if ($existed) {
        $sddl = [string](Get-Acl -LiteralPath $path).Sddl
        $lines = @([IO.File]::ReadAllLines($path))
    }
    if (-not ($lines -contains $Line)) {
        $present = [ordered]@{ existed = $existed; lines = $lines.Count }
        Invoke-Change -Kind 'AuthorizedKey' -Target $path -Old $present -New $Line -Do {
            Write-TextFile -Path $path -Text (((@($lines) + $Line) -join "`r`n") + "`r`n")
        }
    }
    if (-not (Test-KeyFileProtected -Path $path)) {
        Invoke-Change -Kind 'KeyFileRights' -Target $path -Old $sddl -New 'Administrators and SYSTEM only' -Do {
            Protect-KeyFile -Path $path
        }
    }
}

function Undo-AuthorizedKey {
    param([Parameter(Mandatory = $true)]$Entry)
    if (-not (Test-Path -LiteralPath $Entry.target)) {
        return
    }
    $rest = @([IO.File]::ReadAllLines($Entry.target) | Where-Object { $_ -ne $Entry.new })
    if ($rest.Count -eq 0 -and -not $Entry.old.existed) {
        Remove-Item -LiteralPath $Entry.target
        return
    }
    $text = ''
    if ($rest.Count -gt 0) {
        $text = ($rest -join "`r`n") + "`r`n"
    }
    Write-TextFile -Path $Entry.target -Text $text
}

function Get-KeyFileOwners {
    # Well-known SIDs: Administrators and SYSTEM, whatever the machine's language calls them.
    return @('S-1-5-32-544', 'S-1-5-18')
}

function Test-KeyFileProtected {
    # sshd refuses a key file that anybody else may touch.
    param([Parameter(Mandatory = $true)][string]$Path)
    if (-not (Test-Path -LiteralPath $Path)) {
        return $false
    }
    $acl = Get-Acl -LiteralPath $Path
    $rules = @($acl.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier]))
    $known = Get-KeyFileOwners
    $foreign = @($rules | Where-Object { $known -notcontains $_.IdentityReference.Value })
    return ($acl.AreAccessRulesProtected -and $rules.Count -gt 0 -and $foreign.Count -eq 0)
}

function Protect-KeyFile {
    param([Parameter(Mandatory = $true)][string]$Path)
    $acl = New-Object Security.AccessControl.FileSecurity
    $acl.SetAccessRuleProtection($true, $false)
    foreach ($sid in (Get-KeyFileOwners)) {
        $who = New-Object Security.Principal.SecurityIdentifier($sid)
        $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($who, 'FullControl', 'Allow')))
    }
    $acl.SetOwner((New-Object Security.Principal.SecurityIdentifier('S-1-5-32-544')))
    Set-Acl -LiteralPath $Path -AclObject $acl
}

function Undo-KeyFileRights {
    param([Parameter(Mandatory = $true)]$Entry)
    if ($null -eq $Entry.old -or -not (Test-Path -LiteralPath $Entry.target)) {
        return
    }
    $acl = Get-Acl -LiteralPath $Entry.target
    $acl.SetSecurityDescriptorSddlForm([string]$Entry.old)
    Set-Acl -LiteralPath $Entry.target -AclObject $acl
}

function Get-HostKeyFingerprint {
    # As ssh-keygen and dtui show it; empty before the server's first start.
    $public = Join-Path $env:ProgramData 'ssh\ssh_host_ed25519_key.pub'
    if (-not (Test-Path -LiteralPath $public)) {
        return ''
    }
    $blob = [Convert]::FromBase64String((([IO.File]::ReadAllText($public)) -split '\s+')[1])
    $digest = [Security.Cryptography.SHA256]::Create().ComputeHash($blob)
    return 'SHA256:' + [Convert]::ToBase64String($digest).TrimEnd('=')
}
